import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { failureOf, type StsHarness, startStsHarness } from '../support/sts-harness.ts';
import { createTestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';

let sts: StsHarness;
beforeEach(async () => {
  sts = await startStsHarness();
});
afterEach(() => sts.stop());

const codes = () => sts.sts.requests.map(({ code }) => code);

/** What the SDK says of a broken connection, or `undefined` if the call succeeded. */
async function connectionError(call: Promise<unknown>): Promise<string | undefined> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error === undefined ? undefined : String(error);
}

describe('the fault', () => {
  it('hang answers nothing, shows in the log, and does not hold up stop()', async () => {
    sts.sts.setFault({ kind: 'hang' });
    const hanging = connectionError(sts.exchange());
    await until(() => codes().includes('hang'));
    expect(sts.sts.requests[0]).toMatchObject({
      action: 'AssumeRoleWithWebIdentity',
      roleSessionName: 'orders-service',
    });

    await sts.sts.stop();

    expect(await hanging).toMatch(/socket hang up|ECONNRESET/);
  });

  it('reset breaks the connection', async () => {
    sts.sts.setFault({ kind: 'reset', times: 1 });
    expect(await connectionError(sts.exchange())).toMatch(/ECONNRESET/);
    expect(codes()).toEqual(['reset']);
  });

  it.each([
    [400, 'Throttling', 'Rate exceeded'],
    [503, 'ServiceUnavailable', 'try later'],
    [403, 'RegionDisabledException', 'STS is not activated in this region'],
  ])('error answers %i %s', async (status, code, message) => {
    sts.sts.setFault({ kind: 'error', status, code, message });
    expect(await failureOf(sts.exchange())).toEqual({ name: code, code, status, message });
    expect(codes()).toEqual([code]);
  });

  it('body is sent verbatim', async () => {
    const body = '<html>bad gateway';
    sts.sts.setFault({ kind: 'body', status: 502, contentType: 'text/html', body });
    const response = await fetch(sts.sts.url, { method: 'POST' });
    expect(response.status).toBe(502);
    expect(response.headers.get('content-type')).toBe('text/html');
    expect(await response.text()).toBe(body);
    expect(codes()).toEqual(['body']);
  });

  it('answer lies in a success', async () => {
    sts.sts.setFault({
      kind: 'answer',
      rewrite: (answer) => ({
        ...answer,
        assumedRoleArn: 'arn:aws:sts::123456789012:assumed-role/admin/root',
        secretAccessKey: '',
        sessionToken: undefined,
        expiration: '2001-01-01T00:00:00Z',
      }),
    });
    const { AssumedRoleUser, Credentials } = await sts.exchange();
    expect(AssumedRoleUser?.Arn).toBe('arn:aws:sts::123456789012:assumed-role/admin/root');
    expect(Credentials?.SecretAccessKey).toBe('');
    expect(Credentials?.SessionToken).toBeUndefined();
    expect(Credentials?.Expiration).toEqual(new Date('2001-01-01T00:00:00Z'));
  });

  it('answer leaves a refusal as it is, and is not used up by it', async () => {
    sts.sts.setFault({
      kind: 'answer',
      times: 1,
      rewrite: (answer) => ({ ...answer, audience: 'lie' }),
    });
    const WebIdentityToken = sts.token({ aud: 'somebody-else' });
    const refused = await failureOf(sts.exchange({ WebIdentityToken }));
    expect(refused.message).toMatch(/^The web identity token provided could not be validated/);
    expect((await sts.exchange()).Audience).toBe('lie');
    expect((await sts.exchange()).Audience).not.toBe('lie');
  });

  it('strikes as often as it says, and no more', async () => {
    const error = { kind: 'error', status: 500, code: 'InternalFailure', message: 'x' } as const;
    sts.sts.setFault({ ...error, times: 2 });
    await failureOf(sts.exchange());
    await failureOf(sts.exchange());
    await sts.exchange();
    expect(codes()).toEqual(['InternalFailure', 'InternalFailure', 'ok']);
  });

  it('is over when it is taken back', async () => {
    sts.sts.setFault({ kind: 'hang' });
    sts.sts.setFault(undefined);
    expect((await sts.exchange()).Credentials).toBeDefined();
  });
});

describe('latency', () => {
  it('delays every answer by that much', async () => {
    const clock = createTestClock(Date.now());
    const delaysMs: number[] = [];
    const after = (delayMs: number, callback: () => void) => {
      delaysMs.push(delayMs);
      return clock.after(delayMs, callback);
    };
    const slow = await startStsHarness({ latencyMs: 200, clock: { ...clock, after } });
    let answered = false;
    const call = slow.exchange().then(() => {
      answered = true;
    });
    await until(() => delaysMs.length === 1);
    await clock.advance(199);
    expect([answered, slow.sts.requests[0]?.code]).toEqual([false, 'pending']);
    await clock.advance(1);
    await call;
    await slow.stop();
  });

  it('does not hold up stop()', async () => {
    const slow = await startStsHarness({ latencyMs: 60_000 });
    const call = connectionError(slow.exchange());
    await until(() => slow.sts.requests.length === 1);
    await slow.stop();
    expect(await call).toMatch(/socket hang up|ECONNRESET/);
  });
});

it('stop() may be called twice', async () => {
  await sts.sts.stop();
  await expect(sts.sts.stop()).resolves.toBeUndefined();
});
