/**
 * `x-error-codes` of openapi.yaml, both ways: that an operation gives no others is held against every answer that any test
 * of the listeners gets (test/support/contract.ts); here, that it gives those.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { StsFault } from '../../emulators/sts/sts-fault.ts';
import { type BrokerErrorCode, errorCodes } from '../../src/core/errors.ts';
import {
  type BrokerFixture,
  type BrokerFixtureOptions,
  startBrokerFixture,
} from '../support/broker-fixture.ts';
import { operations, statusesOf } from '../support/contract.ts';
import type { Answer } from '../support/http-call.ts';
import { allow, clients, defaultMappings } from '../support/outside-world.ts';
import {
  type SoundCall,
  sendCall,
  soundCalls,
  withHeaders,
  withQuery,
  withToken,
} from '../support/sound-calls.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';

const codes = Object.keys(errorCodes) as BrokerErrorCode[];
const namesOf = (code: BrokerErrorCode) =>
  operations
    .filter(({ operation }) => operation['x-error-codes'].includes(code))
    .map(({ operation }) => operation.operationId);

describe('the codes of an operation', () => {
  it.each(operations.map(({ operation }) => [operation.operationId, operation] as const))(
    'of %s are those of the service, in its order, and come with the statuses that are listed',
    (_name, operation) => {
      const listed = operation['x-error-codes'];
      expect(listed).toEqual(codes.filter((code) => listed.includes(code)));
      const statuses = Object.keys(operation.responses).map(Number);
      // What other methods of the path get, and a probe that fails, are no errors of the operation.
      const refusals = statuses.filter((status) => status >= 400 && status !== 405);
      const probe = operation.operationId === 'checkReadiness' ? [503] : [];
      expect(new Set(refusals)).toEqual(new Set([...statusesOf(operation), ...probe]));
    },
  );
});

type Change = (call: SoundCall, broker: BrokerFixture, name: string) => SoundCall;

const user = { username: 'ann', sub: '11111111-2222-4333-8444-555555555555', groups: [] };
const clientOf = (call: SoundCall) => (call.listener === 'admin' ? 'admin' : 'orders');
const tokenWith =
  (options: Parameters<BrokerFixture['token']>[1]): Change =>
  (call, broker) =>
    withToken(call, broker.token(clientOf(call), options));
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const tokenOfParts =
  (change: (header: string, payload: string, signature: string) => readonly string[]): Change =>
  (call, broker) => {
    const [header = '', payload = '', signature = ''] = broker.token(clientOf(call)).split('.');
    return withToken(call, change(header, payload, signature).join('.'));
  };
/** Names a role, each operation in its own way. */
const asking =
  (role: string): Change =>
  (call, _broker, name) => {
    if (name === 'getContainerCredentialsOfRole')
      return { ...call, path: `/v1/credentials/${role}` };
    if ((call.method ?? 'GET') === 'GET') return withQuery(call, `role=${role}`);
    return call.form === undefined
      ? { ...call, body: { role } }
      : { ...call, form: { ...call.form, RoleArn: role } };
  };
const withForm = (call: SoundCall, form: SoundCall['form']): SoundCall => ({
  ...call,
  form: { ...call.form, ...form },
});
const aside = (call: SoundCall, name: string): SoundCall => {
  const { [name]: _left, ...headers } = call.headers ?? {};
  return { ...call, headers };
};
const tooMany = Object.fromEntries(Array.from({ length: 70 }, (_, at) => [`x-field-${at}`, 'x']));

const changes: Partial<Readonly<Record<BrokerErrorCode, Change>>> = {
  request_malformed: (call) => withHeaders(call, { host: 'a b' }),
  query_invalid: (call) => withQuery(call, 'no-such-parameter=1'),
  body_malformed: (call) => ({ ...call, body: call.form === undefined ? '{' : 'Action=%GG' }),
  body_invalid: (call) =>
    call.form === undefined
      ? { ...call, body: { nope: true } }
      : withForm(call, { WebIdentityToken: undefined }),
  origin_refused: (call) => withHeaders(call, { origin: 'https://elsewhere.example' }),
  route_not_found: (call) => ({ ...call, path: '/v1/credentials/NotAnId' }),
  body_too_large: (call) => ({ ...call, body: `"${'x'.repeat(70_000)}"` }),
  uri_too_long: (call) => withQuery(call, 'x'.repeat(8_200)),
  media_type_unsupported: (call) =>
    withHeaders(call.form === undefined ? { ...call, body: '{}' } : call, {
      'content-type': 'text/plain',
    }),
  host_unknown: (call) => withHeaders(call, { host: 'elsewhere.example' }),
  headers_too_large: (call) => withHeaders(call, tooMany),
  token_missing: ({ token: _none, ...call }) => call,
  token_too_large: (call) => withToken(call, 'a'.repeat(9_000)),
  token_malformed: (call) => withToken(call, 'a.b.c'),
  token_issuer_unknown: tokenOfParts((header, payload, signature) => {
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
    return [header, encode({ ...claims, iss: 'https://elsewhere.example' }), signature];
  }),
  token_key_unknown: tokenOfParts((_header, payload, signature) => [
    encode({ alg: 'RS256', kid: 'nobody' }),
    payload,
    signature,
  ]),
  token_signature_invalid: tokenOfParts((header, payload, signature) => [
    header,
    payload,
    `${signature.slice(0, 50)}AAAA${signature.slice(54)}`,
  ]),
  // Over before it was issued.
  token_claims_invalid: tokenWith({ expiresInSeconds: -3_600 }),
  token_use_refused: (call, { issuer }) =>
    withToken(
      call,
      issuer.issueIdToken({ clientId: clients.console.clientId, user: user.username }),
    ),
  token_client_refused: (call, broker) => withToken(call, broker.token('stranger')),
  token_audience_missing: (call, broker, name) =>
    asking('legacy-reader')(withToken(call, broker.token('legacy')), broker, name),
  access_denied: (call, broker, name) =>
    call.listener === 'admin'
      ? withToken(call, broker.token('orders'))
      : asking('reports-reader')(call, broker, name),
  scope_insufficient: tokenWith({ scopes: ['x/y'] }),
  role_ambiguous: (call, broker) => withToken(call, broker.token('reports')),
  duration_not_allowed: (call) =>
    call.form === undefined
      ? { ...call, body: { durationSeconds: 43_200 } }
      : withForm(call, { DurationSeconds: '43200' }),
  token_role_not_listed: tokenWith({
    claims: { 'https://aws.amazon.com/roles': ['arn:aws:iam::123456789012:role/other'] },
  }),
  action_unknown: (call) => withForm(call, { Action: 'AssumeRole' }),
  signature_invalid: (call) => ({
    ...call,
    form: { Action: 'GetCallerIdentity', Version: '2011-06-15' },
  }),
  session_policy_not_allowed: (call) =>
    withForm(call, {
      Policy:
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}',
    }),
  mapping_not_found: (call) => {
    const path = call.path.replace('orders-writer', 'no-such-mapping');
    const tagged = call.method === 'PUT' ? withHeaders(call, { 'if-match': '"1"' }) : call;
    return { ...(call.method === 'PUT' ? aside(tagged, 'if-none-match') : call), path };
  },
  mapping_invalid: (call, _broker, name) =>
    name === 'freeze'
      ? { ...call, body: { principal: { pool: 'us-east-1_Nobodys00', any: true }, role: '*' } }
      : { ...call, body: allow('books', 'orders', { role: '*' }) },
  mapping_is_freeze: (call) => ({
    ...call,
    path: '/v1/role-mappings/freeze-000000000000000000000000',
  }),
  mapping_managed_by_git: (call) =>
    call.method === 'PUT'
      ? { ...call, body: allow('books', 'orders', { managedBy: 'git' }) }
      : { ...call, path: '/v1/role-mappings/from-git' },
  change_reason_required: (call) => aside(call, 'change-reason'),
  precondition_required: (call) => aside(aside(call, 'if-match'), 'if-none-match'),
  precondition_failed: (call) =>
    call.method === 'PUT'
      ? { ...call, path: '/v1/role-mappings/orders-writer', body: allow('orders-writer', 'orders') }
      : withHeaders(call, { 'if-match': '"7"' }),
  proposal_not_found: (call) => call,
};

const stsError = (status: number, code: string): StsFault => ({
  kind: 'error',
  status,
  code,
  message: 'refused',
});
const stsFaults: Partial<Readonly<Record<BrokerErrorCode, StsFault>>> = {
  sts_access_denied: stsError(403, 'AccessDenied'),
  sts_token_rejected: stsError(400, 'InvalidIdentityToken'),
  sts_request_rejected: stsError(400, 'MalformedPolicyDocument'),
  sts_bad_response: { kind: 'body', status: 200, contentType: 'text/xml', body: '' },
  sts_unavailable: stsError(400, 'IDPCommunicationError'),
  // Last: the budget of the account is smaller from then on.
  sts_throttled: stsError(400, 'Throttling'),
};

interface Outage {
  readonly options?: Omit<BrokerFixtureOptions, 'clock'>;
  /** Once it runs. */
  readonly begin?: (broker: BrokerFixture, clock: TestClock) => Promise<unknown>;
}

const outages: Partial<Readonly<Record<BrokerErrorCode, Outage>>> = {
  keys_unavailable: {
    options: { beforeStart: ({ issuer }) => issuer.setFault({ kind: 'status', status: 500 }) },
  },
  policy_unavailable: {
    options: { beforeStart: ({ dynamodb }) => dynamodb.setFault({ kind: 'reset' }) },
  },
  policy_stale: {
    options: {
      configure: (config) => ({ ...config, policy: { ...config.policy, maxAgeSeconds: 60 } }),
    },
    begin: async ({ dynamodb }, clock) => {
      dynamodb.setFault({ kind: 'reset' });
      await clock.advance(61_000);
    },
  },
  audit_unavailable: {
    begin: async ({ auditDirectory }, clock) => {
      renameSync(auditDirectory, `${auditDirectory}-aside`);
      writeFileSync(auditDirectory, 'not a directory');
      // Where the file is gets looked at once a second.
      await clock.advance(1_000);
    },
  },
  token_expired: { begin: (_broker, clock) => clock.advance(120_000) },
  table_unavailable: {
    begin: async ({ dynamodb }) =>
      dynamodb.setFault({ kind: 'error', type: 'InternalServerError', status: 500 }),
  },
};

/** What one request to one broker cannot show, and where it is shown. */
const elsewhere: Partial<Readonly<Record<BrokerErrorCode, string>>> = {
  request_timeout: 'test/http/framing.test.ts',
  internal_error: 'test/core/errors.test.ts',
  overloaded: 'test/http/wire-forms.test.ts',
  rate_limited: 'test/http/limits.test.ts',
  token_not_yet_valid: 'test/http/admin/administrators.test.ts',
  token_revoked: 'test/http/emergency-file.test.ts',
  sign_in_insufficient: 'test/http/admin/administrators.test.ts',
  web_identity_unavailable: 'test/web-identity/outages.long.test.ts',
  policy_changed: 'test/core/exchange.test.ts',
  session_policy_invalid: 'test/http/session-wishes.test.ts',
  access_key_unknown: 'test/http/sts/caller-identity.test.ts',
  change_not_sealed: 'test/http/sealed-policy.test.ts',
  approval_required: 'test/http/admin/approval.test.ts',
  proposal_not_open: 'test/http/admin/approval.test.ts',
  proposal_differs: 'test/http/admin/approval.test.ts',
  proposal_author_removed: 'test/http/admin/approval.test.ts',
  proposals_too_many: 'test/http/admin/approval.test.ts',
  approver_refused: 'test/http/admin/approval.test.ts',
};
/** Races that nobody can lose on purpose: the version is looked up by the operation itself, or nothing is wrong any more. */
const races: readonly string[] = [
  'freeze precondition_failed',
  'unfreeze precondition_failed',
  'approveProposal mapping_invalid',
];

/** Answers in the form of STS have codes of STS: the log has the broker's. */
function codeOf(broker: BrokerFixture, answer: Answer): unknown {
  const { type } = (answer.body ?? {}) as { readonly type?: string };
  if (type !== undefined) return type.replace('urn:token-broker:error:', '');
  return broker.logs.find(({ requestId }) => requestId === answer.requestId)?.['code'];
}

const tokensOf = (broker: BrokerFixture) => ({
  orders: broker.token('orders', { expiresInSeconds: 90 }),
  admin: broker.token('admin', { expiresInSeconds: 90 }),
});

async function given(
  broker: BrokerFixture,
  code: BrokerErrorCode,
  tokens = tokensOf(broker),
): Promise<readonly string[]> {
  const change = changes[code] ?? ((call) => call);
  const answers: string[] = [];
  for (const name of namesOf(code)) {
    if (races.includes(`${name} ${code}`)) continue;
    const call = soundCalls[name] as SoundCall;
    const good = call.listener === 'ops' ? call : withToken(call, tokens[clientOf(call)]);
    const answer = await sendCall(broker, change(good, broker, name));
    answers.push(`${name} ${answer.status < 300 ? answer.status : codeOf(broker, answer)}`);
  }
  return answers;
}
const expected = (code: BrokerErrorCode) =>
  namesOf(code)
    .map((name) => `${name} ${code}`)
    .filter((one) => !races.includes(one));

describe('each operation that lists it gives', () => {
  let broker: BrokerFixture;
  beforeAll(async () => {
    broker = await startBrokerFixture({
      users: [user],
      mappings: [
        ...defaultMappings,
        allow('from-git', 'orders', { managedBy: 'git', enabled: false }),
      ],
      configure: (config) => ({
        ...config,
        http: { ...config.http, allowedHosts: ['127.0.0.1'] },
        identity: {
          ...config.identity,
          maxTokenBytes: 8_192,
          userPools: (config.identity.userPools ?? []).map((one) => ({
            ...one,
            clients: one.clients.filter((id) => id !== clients.stranger.clientId),
          })),
        },
      }),
    });
  });
  afterAll(() => broker.stop());

  it.each(Object.keys(changes) as BrokerErrorCode[])('%s', async (code) => {
    expect(await given(broker, code)).toEqual(expected(code));
  });

  it.each(Object.keys(stsFaults) as BrokerErrorCode[])('%s, as STS answers', async (code) => {
    broker.sts.setFault(stsFaults[code]);
    expect(await given(broker, code)).toEqual(expected(code));
    broker.sts.setFault(undefined);
  });

  it.each(Object.entries(outages) as [BrokerErrorCode, Outage][])(
    '%s, in an outage',
    async (code, { options, begin }) => {
      const clock = begin === undefined ? undefined : createTestClock(Date.now());
      const failing = await startBrokerFixture({
        ...options,
        ...(clock === undefined ? {} : { clock }),
      });
      try {
        const tokens = tokensOf(failing);
        await begin?.(failing, clock as TestClock);
        expect(await given(failing, code, tokens)).toEqual(expected(code));
      } finally {
        await failing.stop();
      }
    },
  );

  it('every other one that is listed, in another test', () => {
    const here = [changes, stsFaults, outages].flatMap((table) => Object.keys(table));
    const listed = codes.filter((code) => namesOf(code).length > 0);
    expect(new Set([...here, ...Object.keys(elsewhere)])).toEqual(new Set(listed));
    // Nothing lists what other methods of a path get.
    expect(codes.filter((code) => !listed.includes(code))).toEqual(['method_not_allowed']);
    for (const [code, file] of Object.entries(elsewhere)) {
      const shown = { access_key_unknown: 'InvalidClientTokenId' }[code] ?? code;
      expect([code, readFileSync(file, 'utf8').includes(shown)]).toEqual([code, true]);
    }
  });
});
