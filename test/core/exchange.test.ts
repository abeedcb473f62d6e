import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Caller } from '../../src/core/caller.ts';
import type { IssuedSession, IssueResult } from '../../src/core/credentials.ts';
import {
  BrokerError,
  type BrokerErrorOptions,
  type ErrorReason,
  type errorCodes,
} from '../../src/core/errors.ts';
import {
  createExchange,
  type ExchangeParts,
  type ExchangeRequest,
} from '../../src/core/exchange.ts';
import {
  changeSnapshot,
  compileSnapshot,
  type PolicySnapshot,
} from '../../src/core/policy/policy-snapshot.ts';
import type { RoleMapping } from '../../src/core/policy/role-mapping.ts';
import type { CredentialIssuer, TokenValidator } from '../../src/core/ports.ts';
import type { AuditRecord } from '../../src/core/records/audit-record.ts';
import type { RequestContext } from '../../src/core/request-context.ts';
import type { SessionPlan } from '../../src/core/session/session.ts';
import { tokenDigest } from '../../src/core/token-digest.ts';
import { rateLimited } from '../../src/limits/rate-limited.ts';
import { CallersOwnToken } from '../../src/sts/callers-own-token.ts';
import {
  type CallerParts,
  caller,
  claimRef,
  domainPool,
  mapping,
  roleArn,
  snapshotOf,
} from '../support/domain.ts';
import { runs } from '../support/fuzz-budget.ts';
import { secretsIn } from '../support/secrets-in.ts';
import { createTestClock } from '../support/test-clock.ts';

const token = 'CANARY.token.signature';
const secrets = [token, 'CANARY/secret+access/key', 'CANARY-session-token'];
/** An exchange notes in its context who asks: each gets one of its own. */
const context: RequestContext = Object.freeze({
  requestId: 'request-1',
  route: '/v1/credentials',
  sourceIp: '192.0.2.7',
  peerIp: '10.0.0.1',
  userAgent: 'test/1.0',
});

function issuedFor(plan: SessionPlan): IssuedSession {
  return {
    credentials: {
      accessKeyId: 'ASIAEXAMPLE',
      secretAccessKey: secrets[1] ?? '',
      sessionToken: secrets[2] ?? '',
      expiresAt: Date.UTC(2026, 0, 15, 13),
    },
    assumedRoleArn: `arn:aws:sts::123456789012:assumed-role/orders/${plan.sessionName}`,
    assumedRoleId: `AROAEXAMPLE:${plan.sessionName}`,
    subject: undefined,
    audience: undefined,
    provider: undefined,
    packedPolicySize: undefined,
    stsRequestId: 'sts-request-1',
    issuedAt: 0,
  };
}

interface Setting {
  readonly policy?: readonly RoleMapping[];
  readonly by?: CallerParts;
  readonly parts?: Partial<ExchangeParts>;
  readonly request?: Partial<ExchangeRequest>;
  readonly read?: () => ExchangeRequest | Promise<ExchangeRequest>;
  readonly from?: RequestContext;
  /** What stands between the exchange and the issuer. */
  readonly behind?: (issuer: CredentialIssuer) => CredentialIssuer;
}

const callersOwnToken = (issuer: CredentialIssuer) =>
  new CallersOwnToken({ issuer, byDefault: 'caller' });

/** Whom it proves is accepted for as long as it takes. */
function accepting(validate: TokenValidator['validate']): TokenValidator {
  return { validate, requireStillAccepted: () => undefined };
}

/** One exchange over ports written out here, and the events it caused, in their order. */
async function exchange(setting: Setting = {}) {
  const { policy = [mapping('orders')], by, parts, request, read, from = context } = setting;
  const { behind = (it: CredentialIssuer) => it } = setting;
  const events: string[] = [];
  const records: AuditRecord[] = [];
  const issuer: CredentialIssuer = parts?.issuer ?? {
    issue: (plan) => ({ session: issuedFor(plan), cached: false }),
  };
  const run = createExchange({
    validator: accepting(() => caller(by)),
    limit: { charge: () => undefined },
    policy: { current: () => snapshotOf(...policy) },
    clock: createTestClock(),
    accessHelp: { owners: [] },
    audit: {
      async record(record) {
        events.push('record begun');
        await new Promise((resolve) => setImmediate(resolve));
        records.push(record);
        events.push('record durable');
      },
    },
    ...parts,
    issuer: behind({
      issue(plan, presented) {
        events.push('issue');
        return issuer.issue(plan, presented);
      },
    }),
  });
  const asked = { token, role: undefined, durationSeconds: undefined, ...request };
  const outcome = await run({ ...from }, read ?? (() => asked)).then(
    (result) =>
      result instanceof BrokerError
        ? { result: undefined, error: result }
        : { result, error: undefined },
    (error: unknown) => ({ result: undefined, error }),
  );
  events.push('answered');
  return { ...outcome, events, records };
}

function brokerError(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error;
  throw new Error('expected a BrokerError', { cause: error });
}

const deny = mapping('freeze', { effect: 'deny', role: '*' });
const withPolicyOf = (claim: string) =>
  mapping('orders', {
    session: {
      policy: {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: '*', Resource: `arn:aws:s3:::${claimRef(claim)}` }],
      },
    },
  });

const openMapping = mapping('orders', {
  session: { name: '{requested}@{sub}', callerPolicy: true },
});
const callersPolicy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::CANARY-policy/*' },
  ],
});
const readOnly = 'arn:aws:iam::aws:policy/ReadOnlyAccess';

describe('an exchange that is allowed', () => {
  it('answers with the credentials only after their record is durable', async () => {
    const { result, events } = await exchange();
    expect(result?.issued.session.credentials.accessKeyId).toBe('ASIAEXAMPLE');
    expect(events).toEqual(['issue', 'record begun', 'record durable', 'answered']);
  });

  it('leaves one record that says who got what, by which mapping, and how to find it in CloudTrail', async () => {
    const { records } = await exchange({
      request: { role: 'orders', durationSeconds: 900 },
      by: { tokenId: 'jti-1', tokenSha256: tokenDigest(token) },
    });
    expect(records).toEqual([
      {
        type: 'exchange',
        time: '2026-01-15T12:00:00.000Z',
        ...context,
        outcome: 'issued',
        token: {
          sha256: tokenDigest(token),
          issuer: caller().issuer,
          pool: caller().pool,
          clientId: caller().clientId,
          subject: caller().subject,
          use: 'access',
          id: 'jti-1',
        },
        request: { role: 'orders', durationSeconds: 900 },
        policyRevision: 7,
        mapping: { id: 'orders', version: 1 },
        session: { role: roleArn('orders'), name: caller().subject, durationSeconds: 900 },
        credentials: {
          cached: false,
          accessKeyId: 'ASIAEXAMPLE',
          assumedRoleId: `AROAEXAMPLE:${caller().subject}`,
          stsRequestId: 'sts-request-1',
          expiration: '2026-01-15T13:00:00Z',
        },
      },
    ]);
  });

  it('hands the issuer exactly the planned session and the token of this very request', async () => {
    const asked: unknown[] = [];
    const issuer: CredentialIssuer = {
      issue(plan, presented): IssueResult {
        asked.push([plan, presented]);
        return { session: issuedFor(plan), cached: true };
      },
    };
    const { result, records } = await exchange({ parts: { issuer } });
    expect(asked).toEqual([[result?.plan, token]]);
    expect(result?.plan).toMatchObject({ mappingId: 'orders', roleArn: roleArn('orders') });
    expect(records).toMatchObject([{ credentials: { cached: true } }]);
  });

  it('records the digest of a session policy, never its text', async () => {
    const { result, records } = await exchange({ policy: [withPolicyOf('sub')] });
    const { policy, policySha256 } = result?.plan ?? {};
    expect(policy).toContain(caller().subject);
    expect(records).toMatchObject([{ session: { policySha256: tokenDigest(policy ?? '') } }]);
    expect(policySha256).toBe(tokenDigest(policy ?? ''));
    expect(secretsIn(records, [policy ?? ''])).toEqual([]);
  });

  it('returns nothing when the audit log does not accept its record (T27)', async () => {
    const unavailable = new BrokerError('audit_unavailable');
    const audit = { record: () => Promise.reject(unavailable) };
    const { result, error } = await exchange({ parts: { audit } });
    expect(result).toBeUndefined();
    expect(error).toBe(unavailable);
    expect(secretsIn(error, secrets)).toEqual([]);
  });

  it('returns nothing while the audit log has not said that its record is durable', async () => {
    let accept = () => {};
    let answered = false;
    const recording = new Promise<void>((resolve) => {
      accept = resolve;
    });
    const pending = exchange({ parts: { audit: { record: () => recording } } }).then((done) => {
      answered = true;
      return done;
    });
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(answered).toBe(false);
    accept();
    expect((await pending).result).toBeDefined();
  });
});

interface Refusal {
  readonly setting: Setting;
  readonly record: Readonly<Record<string, unknown>>;
}

const refusing = (error: unknown) => () => {
  throw error;
};
const failedWith = (code: keyof typeof errorCodes, reason?: ErrorReason) =>
  new BrokerError(code, (reason === undefined ? {} : { reason }) as BrokerErrorOptions<never>);
const denied = (reason: string) => ({ outcome: 'denied', code: 'access_denied', reason });

const refusals: readonly (readonly [string, Refusal])[] = [
  [
    'a request that cannot be read',
    {
      setting: { read: refusing(failedWith('body_invalid')) },
      record: { outcome: 'denied', code: 'body_invalid' },
    },
  ],
  [
    'a token that is refused',
    {
      setting: { parts: { validator: accepting(refusing(failedWith('token_expired'))) } },
      record: { outcome: 'denied', code: 'token_expired' },
    },
  ],
  [
    'a token whose check fails later',
    {
      setting: {
        parts: { validator: accepting(() => Promise.reject(failedWith('keys_unavailable'))) },
      },
      record: { outcome: 'failed', code: 'keys_unavailable' },
    },
  ],
  [
    'a policy that is stale',
    {
      setting: { parts: { policy: { current: refusing(failedWith('policy_stale')) } } },
      record: { outcome: 'failed', code: 'policy_stale' },
    },
  ],
  ['no mapping', { setting: { policy: [] }, record: denied('no_mapping') }],
  [
    'an explicit deny',
    {
      setting: { policy: [mapping('orders'), deny] },
      record: { ...denied('explicit_deny'), mapping: { id: 'freeze', version: 1 } },
    },
  ],
  [
    'a scope that is missing',
    {
      setting: { policy: [mapping('orders', { conditions: { scopes: ['x'] } })] },
      record: { ...denied('scope_missing'), mapping: { id: 'orders', version: 1 } },
    },
  ],
  [
    'a claim that does not match',
    {
      setting: { policy: [mapping('orders', { conditions: { claims: { team: ['x'] } } })] },
      record: denied('claim_mismatch'),
    },
  ],
  [
    'an address outside',
    {
      setting: { policy: [mapping('orders', { conditions: { sourceCidrs: ['10.0.0.0/8'] } })] },
      record: denied('source_outside'),
    },
  ],
  [
    'a mapping that is not valid yet',
    {
      setting: {
        policy: [mapping('orders', { conditions: { notBefore: '2027-01-01T00:00:00Z' } })],
      },
      record: denied('not_yet_valid'),
    },
  ],
  [
    'a mapping that has expired',
    {
      setting: {
        policy: [mapping('orders', { conditions: { expiresAt: '2026-01-01T00:00:00Z' } })],
      },
      record: denied('mapping_expired'),
    },
  ],
  [
    'a claim that is unsafe',
    {
      setting: { policy: [withPolicyOf('team')], by: { claims: { team: '*' } } },
      record: denied('claim_unsafe'),
    },
  ],
  [
    'several roles',
    {
      setting: { policy: [mapping('a'), mapping('b')] },
      record: { outcome: 'denied', code: 'role_ambiguous' },
    },
  ],
  [
    'a duration that is too long',
    {
      setting: { request: { durationSeconds: 3601 } },
      record: {
        outcome: 'denied',
        code: 'duration_not_allowed',
        request: { durationSeconds: 3601 },
      },
    },
  ],
  [
    'a session policy that the mapping does not take',
    {
      setting: { request: { policy: callersPolicy, policyArns: [readOnly] } },
      record: {
        outcome: 'denied',
        code: 'session_policy_not_allowed',
        mapping: { id: 'orders', version: 1 },
        request: { policySha256: tokenDigest(callersPolicy), policyArns: [readOnly] },
      },
    },
  ],
  [
    'policy ARNs that the mapping does not take',
    {
      setting: { request: { policyArns: [readOnly] } },
      record: { outcome: 'denied', code: 'session_policy_not_allowed' },
    },
  ],
  [
    'a session policy that cannot work',
    {
      setting: { policy: [openMapping], request: { policy: `${callersPolicy}}` } },
      record: {
        outcome: 'denied',
        code: 'session_policy_invalid',
        mapping: { id: 'orders', version: 1 },
      },
    },
  ],
  [
    'a session policy of 2,049 characters together with its ARNs',
    {
      setting: {
        policy: [openMapping],
        request: {
          policy: callersPolicy.replace(
            'CANARY-policy',
            'x'.repeat(2049 - readOnly.length - callersPolicy.length + 'CANARY-policy'.length),
          ),
          policyArns: [readOnly],
        },
      },
      record: { outcome: 'denied', code: 'session_policy_invalid' },
    },
  ],
  [
    'a token without an audience',
    {
      setting: { by: { audience: undefined }, behind: callersOwnToken },
      record: { outcome: 'denied', code: 'token_audience_missing' },
    },
  ],
  [
    'a refusal by STS',
    {
      setting: { parts: { issuer: { issue: refusing(failedWith('sts_access_denied')) } } },
      record: { outcome: 'denied', code: 'sts_access_denied' },
    },
  ],
  [
    'an outage of STS',
    {
      setting: {
        parts: {
          issuer: { issue: () => Promise.reject(failedWith('sts_unavailable', 'circuit_open')) },
        },
      },
      record: { outcome: 'failed', code: 'sts_unavailable', reason: 'circuit_open' },
    },
  ],
  [
    'a fault nobody thought of',
    {
      setting: {
        parts: { issuer: { issue: refusing(new TypeError(`${token} is not a function`)) } },
      },
      record: { outcome: 'failed', code: 'internal_error' },
    },
  ],
  [
    'something thrown that is no error',
    {
      setting: { parts: { validator: accepting(refusing(token)) } },
      record: { outcome: 'failed', code: 'internal_error' },
    },
  ],
];

describe('an exchange that is refused', () => {
  it.each(refusals)(
    'leaves exactly one record, without a secret: %s (T33)',
    async (_case, refusal) => {
      const { result, records, events } = await exchange(refusal.setting);
      expect(result).toBeUndefined();
      expect(records).toHaveLength(1);
      expect(records[0]).toMatchObject(refusal.record);
      expect(records[0]).toMatchObject({ type: 'exchange', ...context });
      expect(records[0]).toHaveProperty('credentials', undefined);
      expect(secretsIn(records, secrets)).toEqual([]);
      expect(events.slice(-2)).toEqual(['record durable', 'answered']);
    },
  );

  it.each(refusals.filter(([, { setting }]) => setting.parts?.issuer === undefined))(
    'never reaches the issuer: %s',
    async (_case, { setting }) => {
      const { events } = await exchange(setting);
      expect(events).not.toContain('issue');
    },
  );

  it('throws what refused it, unchanged', async () => {
    for (const thrown of [failedWith('sts_throttled'), new TypeError('x')]) {
      const { error } = await exchange({ parts: { issuer: { issue: refusing(thrown) } } });
      expect(error).toBe(thrown);
    }
  });

  it('looks the same to the caller whatever the reason of the denial, and whether the role exists (T26)', async () => {
    const answers = new Set<string>();
    for (const [, { setting, record }] of refusals) {
      if (record['code'] !== 'access_denied') continue;
      for (const role of [undefined, 'orders', 'no-such-mapping', roleArn('no-such-role')]) {
        const { error } = await exchange({ ...setting, request: { role } });
        const { code, status, detail, choices, faults, scope, message } = brokerError(error);
        answers.add(JSON.stringify({ code, status, detail, choices, faults, scope, message }));
      }
    }
    expect(answers.size).toBe(1);
  });

  it('lists the roles to a caller who has several, and says nothing of others', async () => {
    const others = mapping('theirs', { principal: { pool: caller().pool, client: 'other' } });
    const { error } = await exchange({ policy: [mapping('b'), others, mapping('a')] });
    expect(brokerError(error).choices).toEqual([
      { mapping: 'a', role: roleArn('a') },
      { mapping: 'b', role: roleArn('b') },
    ]);
  });

  it('says which durations are allowed', async () => {
    const { error } = await exchange({ request: { durationSeconds: 7200 } });
    expect(brokerError(error).detail).toContain('900 to 3600 seconds');
  });

  it('is a failure of the audit log when that does not accept the record', async () => {
    const unavailable = new BrokerError('audit_unavailable');
    const audit = { record: () => Promise.reject(unavailable) };
    const { error } = await exchange({ policy: [], parts: { audit } });
    expect(error).toBe(unavailable);
  });

  it('asks the log once, and puts no second refusal on record, where that takes the next one', async () => {
    const unavailable = new BrokerError('audit_unavailable');
    const answers = [() => Promise.reject(unavailable), () => Promise.resolve()];
    const asked: AuditRecord[] = [];
    const record = (made: AuditRecord) => answers[asked.push(made) - 1]?.() ?? Promise.resolve();
    const { error } = await exchange({ policy: [], parts: { audit: { record } } });
    expect(error).toBe(unavailable);
    expect(asked).toMatchObject([{ outcome: 'denied', code: 'access_denied' }]);
  });

  it('names a token that was read but not verified by its digest alone', async () => {
    const validator = accepting(refusing(failedWith('token_signature_invalid')));
    const { records } = await exchange({ parts: { validator } });
    expect(records).toMatchObject([{ token: { sha256: tokenDigest(token) } }]);
    expect(Object.keys(records[0]?.type === 'exchange' ? (records[0].token ?? {}) : {})).toEqual([
      'sha256',
    ]);
  });

  it('records no token when none could be read', async () => {
    const { records } = await exchange({ read: refusing(failedWith('token_missing')) });
    expect(records[0]).toHaveProperty('token', undefined);
    expect(records[0]).toHaveProperty('request', undefined);
  });

  it('records no user agent when there was none', async () => {
    const { records } = await exchange({ from: { ...context, userAgent: undefined } });
    expect(records[0]).toHaveProperty('userAgent', undefined);
  });
});

describe('what a caller asks of its session', () => {
  const wishes = {
    sessionName: 'deploy-42',
    policy: ` ${callersPolicy}`,
    policyArns: [readOnly, 'arn:aws:iam::aws:policy/Alpha'],
  };
  const { subject } = caller();

  it('is on record, as it was asked for and as STS was asked for it', async () => {
    const { result, records } = await exchange({ policy: [openMapping], request: wishes });
    expect(result?.plan).toMatchObject({
      sessionName: `deploy-42@${subject}`,
      policy: callersPolicy,
      policyArns: ['arn:aws:iam::aws:policy/Alpha', readOnly],
    });
    expect(records).toMatchObject([
      {
        outcome: 'issued',
        request: {
          sessionName: 'deploy-42',
          policySha256: tokenDigest(wishes.policy),
          policyArns: wishes.policyArns,
        },
        session: {
          name: `deploy-42@${subject}`,
          policySha256: tokenDigest(callersPolicy),
          policyArns: ['arn:aws:iam::aws:policy/Alpha', readOnly],
        },
      },
    ]);
    expect(secretsIn(records, ['CANARY-policy'])).toEqual([]);
  });

  it('is on record where it does not count', async () => {
    const { records } = await exchange({ request: { sessionName: 'deploy-42' } });
    expect(records).toMatchObject([
      {
        outcome: 'issued',
        request: { sessionName: 'deploy-42' },
        session: { name: caller().subject },
      },
    ]);
  });

  it('is on record in a legal form only: a token or a key may have been put there by mistake', async () => {
    const canary = 'CANARY/in.the:wrong place';
    const request = {
      sessionName: canary,
      policyArns: [canary, readOnly, ...Array<string>(1000).fill(`${readOnly}X`)],
    };
    const { error, records } = await exchange({ policy: [openMapping], request });
    expect(brokerError(error).code).toBe('session_policy_invalid');
    const [record] = records;
    expect(record).toMatchObject({ request: { sessionName: undefined } });
    const kept = record?.type === 'exchange' ? record.request?.policyArns : undefined;
    expect(kept).toEqual([readOnly, ...Array<string>(9).fill(`${readOnly}X`)]);
    expect(secretsIn([error, records], ['CANARY'])).toEqual([]);
  });

  it('is refused with what to do, and without a word of the policy', async () => {
    const asked = { policy: callersPolicy.replace('Allow', 'CANARY-effect') };
    const refused = brokerError((await exchange({ request: asked })).error);
    expect([refused.status, refused.detail]).toEqual([
      403,
      expect.stringContaining('session.callerPolicy'),
    ]);
    const invalid = brokerError((await exchange({ policy: [openMapping], request: asked })).error);
    expect(invalid).toMatchObject({
      status: 400,
      detail: 'Correct the session policy: policy/Statement/0/Effect must be "Allow" or "Deny".',
      faults: [{ pointer: '/policy/Statement/0/Effect' }],
    });
    expect(secretsIn([refused, invalid], ['CANARY'])).toEqual([]);
  });

  it('says nothing about the mapping to a caller who may not have the role', async () => {
    for (const policy of [[], [openMapping, deny], [mapping('orders'), deny]]) {
      for (const request of [wishes, { policy: '' }]) {
        const { error } = await exchange({ policy, request });
        expect(brokerError(error).code).toBe('access_denied');
      }
    }
  });

  it.each(['policy_malformed', 'policy_too_large'] as const)(
    'is the error of the caller where STS refuses their policy: %s',
    async (reason) => {
      const issue = () => Promise.reject(failedWith('sts_request_rejected', reason));
      const parts = { issuer: { issue } };
      const policy = [openMapping];
      const { error, records } = await exchange({ policy, parts, request: wishes });
      expect(brokerError(error)).toMatchObject({ code: 'session_policy_invalid', status: 400 });
      expect(records).toMatchObject([
        { outcome: 'denied', code: 'session_policy_invalid', reason, session: {} },
      ]);

      const own = await exchange({ policy, parts, request: { sessionName: 'deploy-42' } });
      expect(brokerError(own.error)).toMatchObject({ code: 'sts_request_rejected', status: 502 });
    },
  );

  it('is not the error of the caller where STS refuses something else', async () => {
    for (const [code, reason] of [
      ['sts_request_rejected', 'duration_above_role_maximum'],
      ['sts_request_rejected', undefined],
      ['sts_unavailable', undefined],
    ] as const) {
      const thrown = failedWith(code, reason);
      const parts = { issuer: { issue: refusing(thrown) } };
      const { error } = await exchange({ policy: [openMapping], parts, request: wishes });
      expect(error).toBe(thrown);
    }
  });
});

describe('a caller beyond its limit', () => {
  it('gets no decision and no credentials, and is on record by name', async () => {
    const limit = {
      charge() {
        throw rateLimited({
          reason: 'caller',
          detail: 'x',
          rate: { perSecond: 1, burst: 1 },
          waitMs: 1,
        });
      },
    };
    const { error, events, records } = await exchange({ policy: [deny], parts: { limit } });
    expect(brokerError(error).code).toBe('rate_limited');
    expect(events).toEqual(['record begun', 'record durable', 'answered']);
    expect(records).toMatchObject([
      { outcome: 'denied', code: 'rate_limited', token: { clientId: caller().clientId } },
    ]);
    expect(records[0]).toHaveProperty('policyRevision', undefined);
  });
});

describe('requests of one caller', () => {
  const first = snapshotOf(openMapping, mapping('reports', { role: roleArn('reports') }));
  const policies = [
    first,
    changeSnapshot(first, 8, []),
    compileSnapshot(8, [{ mapping: openMapping, version: 2 }]),
    compileSnapshot(9, [{ mapping: mapping('orders', { enabled: false }), version: 3 }]),
    snapshotOf(openMapping, deny),
  ];
  const usual = {
    policy: 0,
    issued: 0,
    role: 'orders' as string | undefined,
    durationSeconds: undefined as number | undefined,
    sessionName: undefined as string | undefined,
    fails: undefined as 'sts_unavailable' | 'sts_access_denied' | undefined,
  };
  /** What differs from the request before. */
  const change = fc.oneof(
    fc.record({ policy: fc.nat(policies.length - 1) }),
    fc.record({ issued: fc.nat(1) }),
    fc.record({ role: fc.constantFrom(undefined, 'orders', 'reports', roleArn('orders')) }),
    fc.record({ durationSeconds: fc.constantFrom(undefined, 900, 1800, 43_200) }),
    fc.record({ sessionName: fc.constantFrom(undefined, undefined, 'a', 'b') }),
    fc.record({ fails: fc.constantFrom(undefined, 'sts_unavailable', 'sts_access_denied') }),
  );

  it('are each on record as if nobody had asked before', async () => {
    const results = (session: IssuedSession) =>
      [true, false].map((cached) => Object.freeze({ session, cached }));
    const session = issuedFor({ sessionName: 'one' } as SessionPlan);
    const recordOf = async (
      { policy, issued, fails, ...request }: typeof usual,
      by: Caller,
      given: readonly IssueResult[],
    ) => {
      const { records } = await exchange({
        request,
        parts: {
          validator: accepting(() => by),
          policy: { current: () => policies[policy] as PolicySnapshot },
          issuer: {
            issue() {
              if (fails === 'sts_unavailable')
                throw new BrokerError(fails, { reason: 'circuit_open' });
              if (fails === 'sts_access_denied') throw new BrokerError(fails);
              return given[issued] as IssueResult;
            },
          },
        },
      });
      return records;
    };
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 8 }), async (changes) => {
        const [by, given] = [caller(), results(session)];
        let asked = usual;
        for (const each of changes) {
          asked = { ...asked, ...each } as typeof usual;
          expect(await recordOf(asked, by, given)).toEqual(
            await recordOf(asked, caller(), results(session)),
          );
        }
      }),
      runs(200),
    );
  });
});

describe('the decision', () => {
  it('is made anew for every request, on the policy in force at that moment', async () => {
    let inForce = snapshotOf(mapping('orders'));
    const by = caller();
    const records: AuditRecord[] = [];
    const run = createExchange({
      validator: accepting(() => by),
      limit: { charge: () => undefined },
      policy: { current: () => inForce },
      issuer: { issue: (plan) => ({ session: issuedFor(plan), cached: true }) },
      audit: {
        record(record) {
          records.push(record);
          return Promise.resolve();
        },
      },
      accessHelp: { owners: [] },
      clock: createTestClock(),
    });
    const request = { token, role: undefined, durationSeconds: undefined };
    await run({ ...context }, () => request);
    inForce = snapshotOf(mapping('orders'), deny);
    expect(await run({ ...context }, () => request)).toMatchObject({ code: 'access_denied' });
    inForce = snapshotOf(mapping('orders'));
    await run({ ...context }, () => request);
    expect(records).toMatchObject([
      { outcome: 'issued' },
      { outcome: 'denied' },
      { outcome: 'issued' },
    ]);
  });

  it('is made at the time at which the token was verified, not at which the request came', async () => {
    const clock = createTestClock();
    const expiring = mapping('orders', { conditions: { expiresAt: '2026-01-15T12:00:10Z' } });
    const validator = accepting(async () => {
      await clock.advance(10_000);
      return caller();
    });
    const { records } = await exchange({ policy: [expiring], parts: { clock, validator } });
    expect(records).toMatchObject([{ outcome: 'denied', reason: 'mapping_expired' }]);
  });
});

describe('a policy that changes while an exchange is under way', () => {
  const orders = mapping('orders');
  const edited = mapping('orders', { session: { durationSeconds: 900 } });
  const changes: readonly (readonly [string, () => PolicySnapshot, string, string | undefined])[] =
    [
      ['freezes the caller', () => snapshotOf(orders, deny), 'access_denied', 'explicit_deny'],
      ['loses the mapping', () => snapshotOf(), 'access_denied', 'no_mapping'],
      ['has another session for it', () => snapshotOf(edited), 'policy_changed', undefined],
      ['is too old to rely on', refusing(failedWith('policy_stale')), 'policy_stale', undefined],
    ];

  /** The policy changes before this port answers. */
  async function changedDuring(port: 'issuer' | 'audit', later: () => PolicySnapshot) {
    const before = snapshotOf(orders);
    let current = () => before;
    const records: AuditRecord[] = [];
    const pass = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      current = later;
    };
    const { result, error } = await exchange({
      parts: {
        policy: { current: () => current() },
        issuer: {
          async issue(plan) {
            if (port === 'issuer') await pass();
            return { session: issuedFor(plan), cached: false };
          },
        },
        audit: {
          async record(record) {
            records.push(record);
            if (port === 'audit') await pass();
          },
        },
      },
    });
    return { result, error, records };
  }

  it.each(changes)(
    'T66: and %s is what the answer and the record go by, after STS was asked',
    async (_change, later, code, reason) => {
      const { result, error, records } = await changedDuring('issuer', later);
      expect(result).toBeUndefined();
      expect(brokerError(error).code).toBe(code);
      expect(records).toMatchObject([{ code, reason }]);
      expect(records).not.toContainEqual(expect.objectContaining({ outcome: 'issued' }));
    },
  );

  it.each(changes)(
    'T66: and %s keeps back what was recorded as issued already, and says so in a second record',
    async (_change, later, code, reason) => {
      const { result, error, records } = await changedDuring('audit', later);
      expect(result).toBeUndefined();
      expect(brokerError(error).code).toBe(code);
      expect(records).toMatchObject([{ outcome: 'issued' }, { code, reason }]);
    },
  );

  it('but leaves this session as it is has it answered, with one record', async () => {
    for (const port of ['issuer', 'audit'] as const) {
      const { result, records } = await changedDuring(port, () =>
        snapshotOf(orders, mapping('others', { principal: { pool: domainPool, group: 'others' } })),
      );
      expect(result?.plan.mappingId).toBe('orders');
      expect(records).toMatchObject([{ outcome: 'issued' }]);
    }
  });

  it('is not asked for again by what did not wait', async () => {
    let asked = 0;
    const snapshot = snapshotOf(orders);
    const current = () => {
      asked += 1;
      return snapshot;
    };
    await exchange({ parts: { policy: { current } } });
    // Once to decide, once to see that it is still the same one.
    expect(asked).toBe(2);
  });
});

describe('a token that is bound to roles by its issuer', () => {
  it.each([
    ['another role', [roleArn('others')]],
    ['the role in other letters', [roleArn('ORDERS')]],
    ['a wildcard', ['*', `${roleArn('orders')}*`]],
    ['no role', []],
  ])('T68: %s is refused before STS is asked', async (_what, boundRoles) => {
    const { error, events, records } = await exchange({
      by: { boundRoles },
      behind: callersOwnToken,
    });
    expect(brokerError(error).code).toBe('token_role_not_listed');
    expect(events).not.toContain('issue');
    expect(records).toMatchObject([{ outcome: 'denied', code: 'token_role_not_listed' }]);
  });

  it.each([[undefined], [[roleArn('others'), roleArn('orders')]]])(
    'is answered for one of them, and so is one that is not bound',
    async (boundRoles) => {
      const { result } = await exchange({ by: { boundRoles }, behind: callersOwnToken });
      expect(result).toBeDefined();
    },
  );
});
