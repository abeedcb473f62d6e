/** What `/sts` refuses, in the words and with the status of STS; what it learns of an outage, it passes on. */

import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { StsFault } from '../../../emulators/sts/sts-fault.ts';
import { type BrokerFixture, startBrokerFixture } from '../../support/broker-fixture.ts';
import { runs } from '../../support/fuzz-budget.ts';
import type { Call } from '../../support/http-call.ts';
import { allow, roleNamed } from '../../support/outside-world.ts';
import { sendRaw } from '../../support/raw-http.ts';
import {
  assume,
  callSts,
  formOf,
  formType,
  type Parameters,
  readAnswer,
  type StsAnswer,
  webIdentity,
} from '../../support/sts-call.ts';
import { createTestClock } from '../../support/test-clock.ts';
import { until } from '../../support/until.ts';

const canary = 'CANARY-that-no-answer-repeats';

let broker: BrokerFixture;
beforeAll(async () => {
  broker = await startBrokerFixture({
    configure: (config) => ({
      ...config,
      http: { ...config.http, allowedHosts: ['127.0.0.1'] },
    }),
  });
});
afterAll(() => broker.stop());
afterEach(() => broker.sts.setFault(undefined));

/** What is refused reaches nobody, is on record as an exchange, and repeats nothing of the request. */
async function refused(asking: Promise<StsAnswer>): Promise<string> {
  const calls = broker.sts.requests.length;
  const answer = await asking;
  expect(broker.sts.requests).toHaveLength(calls);
  expect(answer.root).toBe('ErrorResponse');
  expect(answer.xml.RequestId).toBe(answer.requestId);
  expect(answer.xml.Error.Message).toContain(`(request ${answer.requestId})`);
  expect(answer.text).not.toContain(canary);
  expect(answer.text).not.toMatch(/ASIA|eyJ|node_modules/);
  expect(answer.headers['x-amzn-requestid']).toBe(answer.requestId);
  const { type, route, outcome, credentials } = broker.auditRecordOf(answer);
  expect({ type, route, outcome, credentials }).toEqual({
    type: 'exchange',
    route: '/sts',
    outcome: 'denied',
    credentials: undefined,
  });
  return answer.said;
}

const ask = (parameters: Parameters, call?: Partial<Call>) =>
  refused(assume(broker, 'orders', parameters, call));

describe('a parameter', () => {
  it.each<[string, Parameters, string]>([
    ['RoleArn', { RoleArn: undefined }, 'must not be null'],
    ['RoleArn', { RoleArn: '' }, 'must be the ARN of a role or the id of a role mapping'],
    ['RoleArn', { RoleArn: `${roleNamed('x')} ${canary}` }, 'must be the ARN of a role'],
    ['RoleArn', { RoleArn: 'arn:aws:iam::123456789012:user/x' }, 'must be the ARN of a role'],
    ['RoleArn', { RoleArn: 'eyJhbGciOiJSUzI1NiJ9.e30.c2ln' }, 'must be the ARN of a role'],
    ['RoleArn', { RoleArn: `${roleNamed('x')}\n` }, 'must be the ARN of a role'],
    ['RoleSessionName', { RoleSessionName: undefined }, 'must not be null'],
    ['RoleSessionName', { RoleSessionName: 'x' }, 'regular expression pattern: [\\w+=,.@-]{2,64}'],
    ['RoleSessionName', { RoleSessionName: 'x'.repeat(65) }, 'regular expression pattern'],
    ['RoleSessionName', { RoleSessionName: `${canary} x` }, 'regular expression pattern'],
    ['RoleSessionName', { RoleSessionName: `${canary}é` }, 'regular expression pattern'],
    ['WebIdentityToken', { WebIdentityToken: undefined }, 'must not be null'],
    ['WebIdentityToken', { WebIdentityToken: 'abc' }, 'greater than or equal to 4'],
    ['WebIdentityToken', { WebIdentityToken: 'a'.repeat(20_001) }, 'less than or equal to 20000'],
    ['ProviderId', { ProviderId: 'www.amazon.com' }, 'must be null'],
    ['Policy', { Policy: '' }, 'greater than or equal to 1'],
    ['DurationSeconds', { DurationSeconds: '899' }, 'greater than or equal to 900'],
    ['DurationSeconds', { DurationSeconds: '43201' }, 'less than or equal to 43200'],
    ['DurationSeconds', { DurationSeconds: '900.5' }, 'must be an integer'],
    ['DurationSeconds', { DurationSeconds: '-900' }, 'must be an integer'],
    ['DurationSeconds', { DurationSeconds: '0x384' }, 'must be an integer'],
    ['DurationSeconds', { DurationSeconds: '' }, 'must be an integer'],
    ['MinimumSessionTokenSize', { MinimumSessionTokenSize: '4096' }, 'must have value 0'],
  ])('%s of %.60j is refused by its name and the rule', async (name, parameters, rule) => {
    const asking = assume(broker, 'orders', parameters);
    expect(await refused(asking)).toBe('400 ValidationError');
    const { Type, Message } = (await asking).xml.Error;
    expect(Type).toBe('Sender');
    const member = name.charAt(0).toLowerCase() + name.slice(1);
    expect(Message).toContain(`1 validation error detected: Value at '${member}' failed`);
    expect(Message).toContain(rule);
  });

  it('is refused together with every other that is wrong', async () => {
    const asking = assume(broker, 'orders', { RoleArn: canary, DurationSeconds: canary });
    await refused(asking);
    const { Message } = (await asking).xml.Error;
    expect(Message).toMatch(/^2 validation errors detected: .*'roleArn'.*'durationSeconds'/);
  });

  /** In quadratic time each would keep everybody else waiting for a fifth of a second or more. */
  it('full of line feeds is looked at in linear time', async () => {
    const WebIdentityToken = `${'\n'.repeat(19_998)}x`;
    const before = process.cpuUsage();
    for (let times = 0; times < 40; times += 1) {
      expect(await ask({ WebIdentityToken })).toBe('400 InvalidIdentityToken');
    }
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(4000);
  });

  it.each([
    'Tags.member.1.Key',
    'SourceIdentity',
    'ExternalId',
    'PolicyArns.member.0.arn',
    'PolicyArns.member.1',
    'rolearn',
    canary.replaceAll('-', '.'),
  ])('%s, which this operation does not take, is refused', async (name) => {
    expect(await ask({ [name]: canary })).toBe('400 ValidationError');
  });

  it('that SDKs print for what is not asked for is accepted', async () => {
    const parameters = { PolicyArns: '', MinimumSessionTokenSize: '0' };
    expect((await assume(broker, 'orders', parameters)).status).toBe(200);
  });
});

describe('an operation', () => {
  it.each<[string, Parameters]>([
    ['none', { Action: undefined }],
    ['none, by an empty name', { Action: undefined, Version: '' }],
    ['of no version', { Version: undefined }],
    ['of another version', { Version: '2010-05-08' }],
  ])('%s is refused as unknown', async (_what, parameters) => {
    expect(await ask(parameters)).toBe('400 InvalidAction');
  });

  it.each([
    'AssumeRole',
    'GetSessionToken',
    'DecodeAuthorizationMessage',
    'assumeRoleWithWebIdentity',
    canary,
    '',
  ])('%s is refused in words that say how to reach AWS, and is no exchange', async (Action) => {
    const records = broker.auditRecords().length;
    const answer = await assume(broker, 'orders', { Action });
    expect(answer.said).toBe('400 InvalidAction');
    expect(answer.xml.Error.Message).toContain('unset AWS_ENDPOINT_URL_STS');
    expect(answer.xml.Error.Message).toContain('"services" section');
    expect(answer.text).not.toContain(canary);
    expect(broker.auditRecords()).toHaveLength(records);
  });
});

describe('a form', () => {
  const valid = () => formOf(webIdentity(broker.token('orders')));

  it.each<[string, (form: string) => string | Buffer]>([
    ['with a parameter twice', (form) => `${form}&RoleArn=orders-writer`],
    ['with a parameter twice, once encoded', (form) => `${form}&%52oleArn=orders-writer`],
    ['with a token twice', (form) => `${form}&WebIdentityToken=${canary}`],
    ['with a broken escape', (form) => `${form}&Policy=%`],
    ['with an escape that is no hexadecimal', (form) => `${form}&Policy=%zz`],
    ['with an escape beyond UTF-8', (form) => `${form}&Policy=%ff%fe`],
    ['with an overlong escape', (form) => `${form}&Policy=%c0%af`],
    ['with a surrogate escape', (form) => `${form}&Policy=%ed%a0%80`],
    ['with bytes beyond ASCII', (form) => Buffer.from(`${form}&Policy=\xe9`, 'latin1')],
    ['with a blank', (form) => `${form}&Policy= `],
    ['with a line feed behind it', (form) => `${form}\n`],
    ['with a NUL', (form) => `${form}\0`],
    ['with an empty part', (form) => `${form}&`],
    ['with a part without a value', (form) => `${form}&Policy`],
    ['with a part without a name', (form) => `${form}&=${canary}`],
    ['with a name that no parameter can have', (form) => `${form}&__proto__=${canary}`],
    ['with too many parameters', (form) => `${form}&${formOf(numbered(60))}`],
    ['in JSON', () => JSON.stringify({ Action: 'AssumeRoleWithWebIdentity' })],
    ['compressed', (form) => gzipSync(form)],
  ])('%s is refused', async (_what, spoil) => {
    expect(await refused(callSts(broker, spoil(valid())))).toBe('400 ValidationError');
  });

  it.each<[string, Record<string, string>]>([
    ['JSON', { 'content-type': 'application/json' }],
    ['text', { 'content-type': 'text/plain' }],
    ['a multipart form', { 'content-type': 'multipart/form-data; boundary=x' }],
    ['bytes', { 'content-type': 'application/octet-stream' }],
    ['another charset', { 'content-type': `${formType}; charset=utf-7` }],
    ['a coding', { 'content-encoding': 'gzip' }],
  ])('sent as %s is refused', async (_what, headers) => {
    expect(await refused(callSts(broker, valid(), { headers }))).toBe('415 ValidationError');
  });

  it('of no type is refused', async () => {
    const form = valid();
    const bytes = `POST /sts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${form.length}\r\n\r\n${form}`;
    const { answers } = await sendRaw(broker.urls.api, bytes, { answers: 1 });
    expect(answers.map((answer) => readAnswer(answer).said)).toEqual(['415 ValidationError']);
  });

  it('larger than 64 KiB is refused, announced or not', async () => {
    const large = `Action=${'a'.repeat(64 * 1024)}`;
    expect(await refused(callSts(broker, large))).toBe('413 ValidationError');
    const chunk = 'a'.repeat(0x8000);
    const chunked = `POST /sts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: ${formType}\r\nTransfer-Encoding: chunked\r\n\r\n${`8000\r\n${chunk}\r\n`.repeat(3)}0\r\n\r\n`;
    const { answers } = await sendRaw(broker.urls.api, chunked, { answers: 1 });
    expect(answers.map((answer) => readAnswer(answer).said)).toEqual(['413 ValidationError']);
  });

  it('that does not arrive in time ends the connection, and is on record', async () => {
    const hasty = await startBrokerFixture({
      timeouts: { headersMs: 150, requestMs: 250, checkMs: 20, stalledMs: 5_000 },
    });
    const records = hasty.auditRecords().length;
    const head = `POST /sts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: ${formType}\r\nContent-Length: 100\r\n\r\nAction=`;
    const { closed, answers } = await sendRaw(hasty.urls.api, head);
    expect([closed, answers.map(({ status }) => status)]).toEqual([true, [408]]);
    await until(() => hasty.auditRecords().length > records);
    expect(hasty.auditRecords().at(-1)).toMatchObject({ route: '/sts', code: 'request_timeout' });
    await hasty.stop();
  });

  it('of any text is answered in XML and issues nothing', async () => {
    const name = fc.constantFrom('Action', 'Version', 'RoleArn', 'WebIdentityToken', 'Policy', 'x');
    const part = fc.oneof(
      fc.tuple(name, fc.string()).map(([key, value]) => formOf({ [key]: value })),
      fc.string(),
      fc.constant('Action=AssumeRoleWithWebIdentity'),
      fc.constant('Action=GetCallerIdentity'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 6 }), async (parts) => {
        const { status, root } = await callSts(broker, parts.join('&'));
        expect(root).toBe('ErrorResponse');
        expect([400, 403, 415]).toContain(status);
      }),
      runs(60),
    );
  });
});

function numbered(count: number): Parameters {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`x${index}`, '1']));
}

describe('a request', () => {
  it.each(['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])(
    'by %s is refused in XML',
    async (method) => {
      for (const path of ['/sts', '/sts/', '/']) {
        const { status, text, headers } = await broker.call({ method, path });
        expect(readAnswer({ status, text }).said).toBe('405 ValidationError');
        expect(headers['allow']).toBe('POST');
      }
    },
  );

  it('with the token in the query is refused', async () => {
    const path = `/sts?${formOf(webIdentity(canary))}`;
    expect(await refused(callSts(broker, '', { path }))).toBe('400 ValidationError');
  });

  it.each<[string, Record<string, string>, string]>([
    ['from a browser', { origin: 'https://example.com' }, '403 AccessDenied'],
    ['for another host', { host: 'sts.amazonaws.com' }, '421 ValidationError'],
  ])('%s is refused', async (_what, headers, expected) => {
    expect(await ask({}, { headers })).toBe(expected);
  });
});

describe('a token', () => {
  const spoilt = (change: (parts: string[]) => string[]) =>
    change(broker.token('orders').split('.')).join('.');

  it.each<[string, () => string, string]>([
    ['that is none', () => canary, '400 InvalidIdentityToken'],
    ['in a Bearer scheme', () => `Bearer ${broker.token('orders')}`, '400 InvalidIdentityToken'],
    ['with a blank before it', () => ` ${broker.token('orders')}`, '400 InvalidIdentityToken'],
    ['with a line feed before it', () => `\n${broker.token('orders')}`, '400 InvalidIdentityToken'],
    [
      'with a forged signature',
      () => spoilt(([h = '', p = '', s = '']) => [h, p, `${s.slice(0, 50)}AAAA${s.slice(54)}`]),
      '400 InvalidIdentityToken',
    ],
    [
      'of another issuer',
      () => spoilt(([h = '', , s = '']) => [h, encode({ iss: 'https://example.com' }), s]),
      '400 InvalidIdentityToken',
    ],
    ['without an audience', () => broker.token('legacy'), '400 InvalidIdentityToken'],
    ['too large', () => `${canary}${'a'.repeat(9000)}`, '400 InvalidIdentityToken'],
    ['in the header only', () => '', '400 ValidationError'],
  ])('%s is refused', async (_what, token, expected) => {
    const parameters = webIdentity(token(), { RoleArn: 'legacy-reader' });
    const headers = { authorization: `Bearer ${broker.token('legacy')}` };
    expect(await refused(callSts(broker, formOf(parameters), { headers }))).toBe(expected);
  });

  it('that has expired is refused as expired', async () => {
    const clock = createTestClock();
    const later = await startBrokerFixture({
      clock,
      configure: (config) => ({ ...config, policy: { ...config.policy, pollSeconds: 5 } }),
    });
    try {
      const form = formOf(webIdentity(later.token('orders', { expiresInSeconds: 60 })));
      expect((await callSts(later, form)).said).toBe('200');
      await clock.advance(90_000);
      expect((await callSts(later, form)).said).toBe('400 ExpiredTokenException');
    } finally {
      await later.stop();
    }
  });
});

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a caller', () => {
  it('is denied in the same words, whatever there is', async () => {
    const messages = new Set<string>();
    for (const RoleArn of ['no-such', roleNamed('no-such'), 'reports-reader']) {
      const asking = assume(broker, 'orders', { RoleArn });
      expect(await refused(asking)).toBe('403 AccessDenied');
      messages.add((await asking).xml.Error.Message.replace(/\(request .*/, ''));
    }
    expect(messages.size).toBe(1);
  });

  it('is denied at once when a deny is written, although its session is cached', async () => {
    expect((await assume(broker, 'orders')).status).toBe(200);
    const freeze = allow('freeze-orders', 'orders', { effect: 'deny', role: '*' });
    await broker.putMapping(freeze);
    expect(await ask({})).toBe('403 AccessDenied');
    await broker.putMapping({ ...freeze, enabled: false });
    expect((await assume(broker, 'orders')).status).toBe(200);
  });

  it('that asks for a longer session than its mapping allows is told the limit', async () => {
    const asking = assume(broker, 'orders', { DurationSeconds: '3601' });
    expect(await refused(asking)).toBe('400 ValidationError');
    expect((await asking).xml.Error.Message).toContain('900 to 3600');
  });
});

describe('an outage', () => {
  const error = (status: number, code: string): StsFault => ({
    kind: 'error',
    status,
    code,
    message: canary,
  });

  async function expectOutage(
    of: BrokerFixture,
    { fault, expected, seconds }: { fault: StsFault; expected: string; seconds: number },
  ): Promise<void> {
    of.sts.setFault(fault);
    const DurationSeconds = String(seconds);
    const answer = await assume(of, 'orders', { DurationSeconds });
    const retryAfter = answer.headers['retry-after'];
    const after = retryAfter === undefined ? '' : ` after ${retryAfter}`;
    expect(`${answer.said} ${answer.xml.Error.Type}${after}`).toBe(expected);
    expect(answer.text).not.toContain(canary);
    const { route, outcome, credentials } = of.auditRecordOf(answer);
    expect({ route, credentials }).toEqual({ route: '/sts' });
    expect(outcome).toMatch(/^(denied|failed)$/);
    of.sts.setFault(undefined);
    expect((await assume(of, 'orders', { DurationSeconds })).status).toBe(200);
  }

  /** Each asks for a session that nobody has asked for before: durations come in whole minutes. */
  let asked = 0;

  it.each<[string, StsFault, string]>([
    ['breaks the connection', { kind: 'reset' }, '503 ServiceUnavailable Receiver after 2'],
    [
      'cannot fetch the keys',
      error(400, 'IDPCommunicationError'),
      '503 ServiceUnavailable Receiver after 2',
    ],
    ['refuses the token', error(400, 'InvalidIdentityToken'), '400 InvalidIdentityToken Sender'],
    [
      'says that it has expired',
      error(400, 'ExpiredTokenException'),
      '400 ExpiredTokenException Sender',
    ],
    ['refuses by the trust policy', error(403, 'AccessDenied'), '403 AccessDenied Sender'],
    [
      'cannot read the policy of the mapping',
      error(400, 'MalformedPolicyDocument'),
      '400 MalformedPolicyDocument Sender',
    ],
    [
      'finds the policy of the mapping too large',
      error(400, 'PackedPolicyTooLarge'),
      '400 PackedPolicyTooLarge Sender',
    ],
    ['refuses the duration', error(400, 'ValidationError'), '400 ValidationError Sender'],
    [
      'answers nonsense',
      { kind: 'body', status: 200, contentType: 'text/html', body: canary },
      '503 ServiceUnavailable Receiver',
    ],
  ])('of an STS that %s', async (_what, fault, expected) => {
    asked += 1;
    await expectOutage(broker, { fault, expected, seconds: 900 + 60 * asked });
  });

  it('of an STS that hangs', async () => {
    const hasty = await startBrokerFixture({
      configure: (config) => ({
        ...config,
        sts: { ...config.sts, requestTimeoutMs: 700, totalTimeoutMs: 900 },
      }),
    });
    try {
      const expected = '503 ServiceUnavailable Receiver after 2';
      await expectOutage(hasty, { fault: { kind: 'hang' }, expected, seconds: 900 });
    } finally {
      await hasty.stop();
    }
  });

  it('of an STS that limits the rate is passed on as such', async () => {
    const throttled = await startBrokerFixture();
    try {
      throttled.sts.setFault(error(400, 'Throttling'));
      const { said, headers } = await assume(throttled, 'orders');
      expect([said, headers['retry-after']]).toEqual(['400 Throttling', '2']);
    } finally {
      await throttled.stop();
    }
  });

  it('of an issuer whose keys cannot be had is one of the identity provider', async () => {
    const keyless = await startBrokerFixture({ beforeStart: ({ issuer }) => issuer.stop() });
    try {
      expect((await assume(keyless, 'orders')).said).toBe('400 IDPCommunicationError');
    } finally {
      await keyless.stop();
    }
  });

  it('of the audit log lets nothing out, cached or not', async () => {
    const clock = createTestClock();
    const unaudited = await startBrokerFixture({ clock });
    try {
      expect((await assume(unaudited, 'orders')).status).toBe(200);
      renameSync(unaudited.auditDirectory, `${unaudited.auditDirectory}-aside`);
      writeFileSync(unaudited.auditDirectory, 'not a directory');
      // Where the file is gets looked at once a second.
      await clock.advance(1_000);
      for (const parameters of [{}, { DurationSeconds: '960' }]) {
        const { said, text } = await assume(unaudited, 'orders', parameters);
        expect(said).toBe('503 ServiceUnavailable');
        expect(text).not.toContain('ASIA');
      }
    } finally {
      rmSync(unaudited.auditDirectory);
      renameSync(`${unaudited.auditDirectory}-aside`, unaudited.auditDirectory);
      await unaudited.stop();
    }
  });
});
