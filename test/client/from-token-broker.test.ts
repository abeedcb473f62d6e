import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { TokenBrokerError } from '../../src/client/broker-client.ts';
import type { CredentialProvider } from '../../src/client/credential-provider.ts';
import {
  type FromTokenBrokerOptions,
  fromTokenBroker,
} from '../../src/client/from-token-broker.ts';
import { toRfc3339 } from '../../src/kit/timing/clock.ts';
import { brokenTokenFiles } from '../support/broken-token-files.ts';
import {
  type ScriptedReply,
  type ScriptedServer,
  startScriptedServer,
} from '../support/scripted-server.ts';
import { secretsIn } from '../support/secrets-in.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';

const role = 'arn:aws:iam::123456789012:role/broker/orders-writer';
const minute = 60_000;

const stops: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

interface Subject {
  readonly broker: ScriptedServer;
  readonly clock: TestClock;
  readonly provider: CredentialProvider;
}

/** A broker that answers with an hour's credentials, numbered by request, unless told otherwise. */
async function subject(options: Partial<FromTokenBrokerOptions> = {}): Promise<Subject> {
  const clock = createTestClock();
  const broker = await startScriptedServer(() => credentials(broker, clock));
  stops.push(() => broker.stop());
  const { url } = broker;
  const provider = fromTokenBroker({ url, role, token: 'a.b.c', ...options }, clock);
  return { broker, clock, provider };
}

function credentials(
  { requests }: Pick<ScriptedServer, 'requests'>,
  clock: TestClock,
  fields: object = {},
): ScriptedReply {
  return {
    body: {
      credentials: {
        accessKeyId: `ASIA${String(requests.length).padStart(16, '0')}`,
        secretAccessKey: 'secretsecretsecretsecret',
        sessionToken: 'sessionsessionsession',
        expiration: toRfc3339(clock.now() + 60 * minute),
        ...fields,
      },
      assumedRole: {
        arn: 'arn:aws:sts::123456789012:assumed-role/orders-writer/s',
        id: 'AROA:s',
      },
      mapping: 'orders-writer',
      role,
    },
  };
}

function problem(
  status: number,
  code: string,
  headers: Record<string, string> = {},
): ScriptedReply {
  const body = { type: 't', title: 'Refused', status, code, request_id: 'request-1' };
  return { status, headers: { 'content-type': 'application/problem+json', ...headers }, body };
}

async function refusal(asking: Promise<unknown>): Promise<TokenBrokerError> {
  const outcome = await asking.catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(TokenBrokerError);
  return outcome as TokenBrokerError;
}

/** Lets time pass while waiting, for work that pauses. */
async function passing<T>(clock: TestClock, stepMs: number, work: Promise<T>): Promise<T> {
  let done = false;
  const ended = work.finally(() => {
    done = true;
  });
  ended.catch(() => {});
  while (!done) await clock.advance(stepMs);
  return ended;
}

const number = ({ accessKeyId }: { readonly accessKeyId: string }) => Number(accessKeyId.slice(4));

describe('credentials', () => {
  it('are what the broker gave, with the account of the role', async () => {
    const { broker, clock, provider } = await subject({ durationSeconds: 900 });
    expect(await provider()).toEqual({
      accessKeyId: 'ASIA0000000000000001',
      secretAccessKey: 'secretsecretsecretsecret',
      sessionToken: 'sessionsessionsession',
      expiration: new Date(clock.now() + 60 * minute),
      accountId: '123456789012',
    });
    const [request] = broker.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/v1/credentials' });
    expect(request?.headers.authorization).toBe('Bearer a.b.c');
    expect(JSON.parse(request?.body ?? '')).toEqual({ role, durationSeconds: 900 });
  });

  it('are a copy for each caller, which may be written to', async () => {
    const { provider } = await subject();
    Object.assign(await provider(), { secretAccessKey: 'changed', $source: {} });
    expect((await provider()).secretAccessKey).toBe('secretsecretsecretsecret');
    expect(await provider()).not.toHaveProperty('$source');
  });

  it('are requested once by 10,000 callers', async () => {
    const { broker, provider } = await subject();
    const got = await Promise.all(Array.from({ length: 10_000 }, () => provider()));
    expect(new Set(got.map(number))).toEqual(new Set([1]));
    expect(broker.requests).toHaveLength(1);
  });

  it('are renewed after 50 to 75 % of their life, before the SDK would ask for it', async () => {
    const { broker, clock, provider } = await subject();
    await provider();
    await clock.advance(30 * minute - 1);
    expect(broker.requests).toHaveLength(1);
    await clock.advance(15 * minute + 1);
    while (number(await provider()) === 1) await clock.advance(0);
    expect(broker.requests).toHaveLength(2);
  });

  it('outlive an outage of the broker until they end, and are renewed when it is back', async () => {
    const { broker, clock, provider } = await subject();
    await provider();
    const honest = broker.script;
    broker.script = () => 'reset';
    for (let passed = 0; passed < 59; passed += 1) {
      await clock.advance(minute);
      expect(number(await passing(clock, 100, provider()))).toBe(1);
    }
    broker.script = honest;
    await passing(clock, 5_000, refreshed(provider));
    expect(number(await provider())).toBeGreaterThan(1);
  });

  it('that have ended are never given out', async () => {
    const { broker, clock, provider } = await subject();
    await provider();
    broker.script = () => problem(503, 'sts_unavailable');
    await clock.advance(60 * minute);
    expect(await refusal(passing(clock, 100, provider()))).toMatchObject({
      code: 'sts_unavailable',
      status: 503,
    });
  });

  it('are void as soon as the broker denies the role', async () => {
    const { broker, clock, provider } = await subject();
    await provider();
    broker.script = () => problem(403, 'access_denied');
    await clock.advance(46 * minute);
    expect(await refusal(refreshed(provider))).toMatchObject({
      code: 'access_denied',
      status: 403,
    });
  });

  async function refreshed(provider: CredentialProvider): Promise<void> {
    while (number(await provider()) === 1) await new Promise((resolve) => setImmediate(resolve));
  }
});

describe('a token', () => {
  it('from a file is read anew each time, without the line feed at its end', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'token-broker-test-'));
    stops.push(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'token');
    writeFileSync(file, 'first.first.first\n');
    const { broker, clock, provider } = await subject({ token: { file } });
    await provider();
    writeFileSync(file, 'second.second.second\n');
    await clock.advance(61 * minute);
    await provider();
    const tokens = broker.requests.map(({ headers }) => headers.authorization);
    expect(tokens[0]).toBe('Bearer first.first.first');
    expect(tokens.at(-1)).toBe('Bearer second.second.second');
  });

  it.each(brokenTokenFiles)(
    'from a file that %s is not sent (T157)',
    async (_case, spoilt, why) => {
      const directory = mkdtempSync(join(tmpdir(), 'token-broker-test-'));
      stops.push(() => rmSync(directory, { recursive: true }));
      const file = join(directory, 'token');
      writeFileSync(file, spoilt(Buffer.from('aaaa.bbbb.cccc')));
      const { broker, provider } = await subject({ token: { file } });
      const { code, message, retryable } = await refusal(provider());
      expect({ code, message }).toEqual({
        code: 'token_file_unreadable',
        message: `${file} ${why}`,
      });
      expect(retryable).toBe(false);
      expect(broker.requests).toEqual([]);
    },
  );

  it('that the broker refuses is replaced once, and the request made once more', async () => {
    let given = 0;
    const { broker, provider } = await subject({ token: async () => `t.t.${++given}` });
    const honest = broker.script;
    broker.script = (request) =>
      request.headers.authorization === 'Bearer t.t.2'
        ? honest(request)
        : problem(401, 'token_expired');
    await provider();
    expect(broker.requests).toHaveLength(2);
  });

  it('that the broker refuses twice is not replaced once more', async () => {
    let given = 0;
    const { broker, provider } = await subject({ token: async () => `t.t.${++given}` });
    broker.script = () => problem(401, 'token_expired');
    expect((await refusal(provider())).status).toBe(401);
    expect(broker.requests).toHaveLength(2);
  });

  it('that cannot be replaced is not tried again', async () => {
    const { broker, provider } = await subject();
    broker.script = () => problem(401, 'token_expired');
    expect((await refusal(provider())).code).toBe('token_expired');
    expect(broker.requests).toHaveLength(1);
  });

  it('from a source is asked for anew, with the one that was refused', async () => {
    const asked: unknown[] = [];
    const token = {
      token: async ({ refused }: { readonly refused?: string | undefined } = {}) => {
        asked.push(refused);
        return refused === undefined ? 'old.old.old' : 'new.new.new';
      },
    };
    const { broker, provider } = await subject({ token });
    const honest = broker.script;
    broker.script = (request) =>
      request.headers.authorization === 'Bearer new.new.new'
        ? honest(request)
        : problem(401, 'token_expired');
    await provider();
    expect(asked).toEqual([undefined, 'old.old.old']);
  });

  it('that cannot be had fails the provider with the reason, and the broker is not asked', async () => {
    const { broker, provider } = await subject({
      token: () => Promise.reject(new Error('no token')),
    });
    await expect(provider()).rejects.toThrow('no token');
    expect(broker.requests).toHaveLength(0);
  });
});

describe('trying again', () => {
  it.each([503, 429])('waits as long as Retry-After says: %i', async (status) => {
    const { broker, clock, provider } = await subject();
    const honest = broker.script;
    broker.script = () => problem(status, 'overloaded', { 'retry-after': '2' });
    const got = provider();
    while (broker.requests.length === 0) await clock.advance(0);
    broker.script = honest;
    await clock.advance(1_900);
    expect(broker.requests).toHaveLength(1);
    expect(number(await passing(clock, 100, got))).toBe(2);
  });

  it('ends after three tries', async () => {
    const { broker, clock, provider } = await subject();
    broker.script = () => 'reset';
    const error = await refusal(passing(clock, 100, provider()));
    expect(error).toMatchObject({ code: 'broker_unreachable', retryable: true });
    expect(broker.requests).toHaveLength(3);
  });

  it('does not begin a pause that would go beyond the deadline', async () => {
    const { broker, provider } = await subject({ timeoutMs: 5_000 });
    broker.script = () => problem(503, 'policy_stale', { 'retry-after': '30' });
    expect((await refusal(provider())).code).toBe('policy_stale');
    expect(broker.requests).toHaveLength(1);
  });

  it.each([
    [400, 'role_ambiguous'],
    [403, 'access_denied'],
    [404, 'route_not_found'],
    [422, 'token_audience_missing'],
  ])('does not happen after %i', async (status, code) => {
    const { broker, provider } = await subject();
    broker.script = () => problem(status, code);
    expect(await refusal(provider())).toMatchObject({ status, code, requestId: 'request-1' });
    expect(broker.requests).toHaveLength(1);
  });
});

describe('deadlines and aborts', () => {
  it('a broker that never answers costs no more than the timeout', async () => {
    const { broker, clock, provider } = await subject({ timeoutMs: 200 });
    broker.script = () => 'hang';
    const refused = refusal(provider());
    await clock.expireDeadlines();
    expect((await refused).code).toBe('credentials_timeout');
    expect(clock.deadlines).toBe(0);
  });

  it('a token function that never answers costs no more than the timeout', async () => {
    const token = () => new Promise<never>(() => {});
    const { clock, provider } = await subject({ timeoutMs: 200, token });
    const refused = refusal(provider());
    await clock.expireDeadlines();
    expect((await refused).code).toBe('credentials_timeout');
  });

  it('one caller may give up, and the others still get theirs', async () => {
    const { broker, clock, provider } = await subject();
    let answer: (reply: ScriptedReply) => void = () => {};
    broker.script = () => new Promise((resolve) => (answer = resolve));
    const impatient = new AbortController();
    const given = provider({ signal: impatient.signal });
    const patient = provider();
    while (broker.requests.length === 0) await clock.advance(0);
    impatient.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    answer(credentials(broker, clock));
    expect(number(await patient)).toBe(1);
  });

  it('a signal ends the provider: what is under way, what comes after, and renewing', async () => {
    const ending = new AbortController();
    const { broker, clock, provider } = await subject({ signal: ending.signal });
    await provider();
    ending.abort(new Error('shutting down'));
    await expect(provider()).rejects.toThrow('shutting down');
    await clock.advance(50 * minute);
    expect(broker.requests).toHaveLength(1);

    const another = new AbortController();
    const second = await subject({ signal: another.signal });
    second.broker.script = () => 'hang';
    const got = second.provider();
    while (second.broker.requests.length === 0) await second.clock.advance(0);
    another.abort(new Error('shutting down'));
    await expect(got).rejects.toThrow('shutting down');
  });
});

describe('an answer that cannot be trusted', () => {
  const lies: [what: string, lie: (one: Subject) => ScriptedReply][] = [
    [
      'credentials that have ended',
      ({ broker, clock }) =>
        credentials(broker, clock, { expiration: toRfc3339(clock.now() - 1000) }),
    ],
    [
      'credentials for a week',
      ({ broker, clock }) =>
        credentials(broker, clock, { expiration: toRfc3339(clock.now() + 7 * 24 * 60 * minute) }),
    ],
    ['no keys', ({ broker, clock }) => credentials(broker, clock, { secretAccessKey: '' })],
    ['a page of a proxy', () => ({ body: '<html>' })],
    ['an endless body', () => 'endless'],
  ];

  it.each(lies)('is refused: %s', async (_what, lie) => {
    const one = await subject();
    one.broker.script = () => lie(one);
    const error = await refusal(passing(one.clock, 100, one.provider()));
    expect(error.code).toBe('broker_answer_invalid');
  });

  it('is refused: another role than was asked for', async () => {
    const { clock, provider } = await subject({
      role: 'arn:aws:iam::123456789012:role/broker/another',
    });
    const error = await refusal(passing(clock, 100, provider()));
    expect(error.message).toContain('another role');
  });

  it('is refused: a redirect, which the token does not follow', async () => {
    const elsewhere = await subject();
    const { broker, clock, provider } = await subject();
    broker.script = () => ({ status: 307, headers: { location: `${elsewhere.broker.url}/` } });
    expect((await refusal(passing(clock, 100, provider()))).code).toBe('broker_unreachable');
    expect(elsewhere.broker.requests).toHaveLength(0);
  });

  it('leaves no secret in the error', async () => {
    const one = await subject();
    for (const [, lie] of lies) {
      one.broker.script = () => lie(one);
      const error = await refusal(passing(one.clock, 100, one.provider()));
      expect(
        secretsIn(error, ['secretsecretsecretsecret', 'sessionsessionsession', 'a.b.c']),
      ).toEqual([]);
    }
  });
});

it.each(['http://broker.example.com', 'https://user:pw@broker.example.com', 'nonsense'])(
  'refuses at once to send tokens to %s',
  (url) => {
    expect(() => fromTokenBroker({ url, role, token: 'a.b.c' })).toThrow(TokenBrokerError);
  },
);
