import { STS } from '@aws-sdk/client-sts';
import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { secretCanary, startScriptedSts, success } from './scripted-sts.ts';
import { secretsIn } from './secrets-in.ts';
import { planned } from './session-plans.ts';

describe('the search for secrets', () => {
  it('looks into hidden properties, collections, bytes and cycles', () => {
    const error = new Error('safe', {
      cause: { list: [new Map([['key', Buffer.from('a canary')]])] },
    });
    Object.defineProperty(error, '$response', {
      value: { error, body: 'canary' },
      enumerable: false,
    });

    expect(secretsIn(error, ['canary'])).toEqual(['$.cause.list.0.(0).1', '$.$response.body']);
    expect(secretsIn(error, ['nightingale'])).toEqual([]);
  });

  it('finds what the error of the bare SDK carries after an answer that cannot be read', async () => {
    const server = await startScriptedSts(systemClock);
    server.script = () => {
      const answer = success({ SecretAccessKey: secretCanary });
      return typeof answer === 'object' ? { ...answer, body: answer.body.slice(0, -9) } : answer;
    };
    const sts = new STS({ region: 'us-east-1', endpoint: server.url, maxAttempts: 1 });
    const error = await sts
      .assumeRoleWithWebIdentity({
        RoleArn: 'arn:aws:iam::123456789012:role/orders',
        RoleSessionName: 'orders',
        WebIdentityToken: planned().token,
      })
      .catch((thrown: unknown) => thrown);

    expect(secretsIn(error, [secretCanary])).not.toEqual([]);

    sts.destroy();
    await server.stop();
  });
});
