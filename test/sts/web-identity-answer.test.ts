import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { auditedCredentials } from '../../src/core/records/audited-session.ts';
import { systemClock, toRfc3339 } from '../../src/kit/timing/clock.ts';
import { CredentialCache } from '../../src/sts/credential-cache.ts';
import {
  type AnswerFields,
  failure,
  honestFields,
  honestly,
  requestId,
  type ScriptedAnswer,
  type ScriptedCall,
  secretCanary,
  success,
  successXml,
} from '../support/scripted-sts.ts';
import { secretsIn } from '../support/secrets-in.ts';
import { planned } from '../support/session-plans.ts';
import { refusalOf, type StsFixture, startStsFixture } from '../support/sts-fixture.ts';

let sts: StsFixture;
beforeEach(async () => {
  sts = await startStsFixture();
});
afterEach(() => sts.stop());

const fieldsFor = (call: ScriptedCall) => honestFields(call, 1, systemClock.now());
const inMs = (ms: number) => toRfc3339(systemClock.now() + ms);
const ofFields = (change: (fields: AnswerFields) => AnswerFields) => (call: ScriptedCall) => {
  const fields = fieldsFor(call);
  return success({ ...fields, ...change(fields) });
};
const ofXml = (change: (xml: string) => string) => (call: ScriptedCall) =>
  ({
    headers: { 'x-amzn-requestid': 'id' },
    body: change(successXml(fieldsFor(call))),
  }) satisfies ScriptedAnswer;

const session = 'assumed-role/orders-writer/orders';

const lies: [string, (call: ScriptedCall) => ScriptedAnswer][] = [
  ['an empty body', ofXml(() => '')],
  ['a page of HTML', ofXml(() => '<!DOCTYPE html><html><body>Sign in to the Wi-Fi</body></html>')],
  ['JSON', ofXml(() => '{"Credentials":{"AccessKeyId":"ASIAAAAAAAAAAAAAAAAA"}}')],
  ['XML cut off in the middle', ofXml((xml) => xml.slice(0, xml.length / 2))],
  ['XML cut off at the end', ofXml((xml) => xml.slice(0, -20))],
  ['another operation', ofXml((xml) => xml.replaceAll('WebIdentityRe', 'SAMLRe'))],
  ['no credentials', ofXml((xml) => xml.replace(/<Credentials>.*<\/Credentials>/, ''))],
  ['no assumed role', ofXml((xml) => xml.replace(/<AssumedRoleUser>.*<\/AssumedRoleUser>/, ''))],
  ['a redirect', () => ({ status: 302, headers: { location: 'https://evil.example/' }, body: '' })],
  ['a body of 65 KiB', ofXml((xml) => xml + ' '.repeat(65 * 1024))],
  [
    'a body of 65 KiB, and no request id in a header',
    (call) => ({ body: successXml(fieldsFor(call)) + ' '.repeat(65 * 1024) }),
  ],
  ...(
    [
      'AccessKeyId',
      'SecretAccessKey',
      'SessionToken',
      'Expiration',
      'Arn',
      'AssumedRoleId',
    ] as const
  ).flatMap((name): [string, (call: ScriptedCall) => ScriptedAnswer][] => [
    [`no ${name}`, ofFields(() => ({ [name]: undefined }))],
    [`an empty ${name}`, ofFields(() => ({ [name]: '' }))],
    [`a ${name} of elements`, ofFields(() => ({ [name]: '<a>b</a>' }))],
  ]),
  [
    'an access key id with a line break',
    ofFields(() => ({ AccessKeyId: 'ASIAAAAA&#10;AAAAAAAAAAAA' })),
  ],
  ['an access key id that is too short', ofFields(() => ({ AccessKeyId: 'ASIA' }))],
  ['a secret key with a blank', ofFields(() => ({ SecretAccessKey: `${secretCanary} x` }))],
  [
    'a session token beyond ASCII',
    ofFields(({ SessionToken }) => ({ SessionToken: `${SessionToken}é` })),
  ],
  ['a date that is none', ofFields(() => ({ Expiration: 'tomorrow' }))],
  ['credentials that ended', ofFields(() => ({ Expiration: inMs(-1000) }))],
  ['credentials that end within a minute', ofFields(() => ({ Expiration: inMs(59_000) }))],
  ['credentials that live too long', ofFields(() => ({ Expiration: inMs(3_602_000 + 300_000) }))],
  [
    'another role',
    ofFields(() => ({ Arn: `arn:aws:sts::123456789012:assumed-role/admin/orders` })),
  ],
  [
    'a role of another case',
    ofFields(() => ({ Arn: `arn:aws:sts::123456789012:${session.replace('w', 'W')}` })),
  ],
  ['another account', ofFields(() => ({ Arn: `arn:aws:sts::999999999999:${session}` }))],
  ['another partition', ofFields(() => ({ Arn: `arn:aws-cn:sts::123456789012:${session}` }))],
  ['another session name', ofFields(({ Arn }) => ({ Arn: `${Arn}2` }))],
  [
    'a role id of another session',
    ofFields(() => ({ AssumedRoleId: 'AROASCRIPTEDSTSROLE01:other-orders' })),
  ],
  ['another subject', ofFields(() => ({ SubjectFromWebIdentityToken: 'somebody-else' }))],
];

describe('an answer that is not what was asked for (T32, T34)', () => {
  it.each(lies)('%s is refused with 502, tried once, and not cached', async (_what, lie) => {
    const cache = new CredentialCache({ issuer: sts.adapter, clock: systemClock });
    const { plan, token } = planned();
    sts.servers[0].script = lie;

    const error = await refusalOf(cache.issue(plan, token));

    expect([error.code, error.status]).toEqual(['sts_bad_response', 502]);
    expect(error.reason).toMatch(/^[a-z_]+$/);
    expect(secretsIn(error, [secretCanary, token, 'evil.example'])).toEqual([]);
    expect(sts.servers[0].calls).toHaveLength(1);
    expect(cache.size).toBe(0);

    sts.servers[0].script = honestly(systemClock);
    await expect(cache.issue(plan, token)).resolves.toMatchObject({ cached: false });
  });
});

describe('an honest answer', () => {
  it('is accepted without the optional fields, with the longest path and the longest session', async () => {
    const { plan, token } = planned({
      roleArn: `arn:aws-us-gov:iam::123456789012:role/${'p'.repeat(500)}/orders.writer@x`,
      sessionName: 'a=b,c.d@e-f_g+h',
      durationSeconds: 43_200,
    });
    sts.servers[0].script = (call) =>
      success({
        ...fieldsFor(call),
        Arn: 'arn:aws-us-gov:sts::123456789012:assumed-role/orders.writer@x/a=b,c.d@e-f_g+h',
        SubjectFromWebIdentityToken: undefined,
      });

    const { session: issued } = await sts.adapter.issue(plan, token);

    expect(issued.subject).toBeUndefined();
    expect(issued.credentials.expiresAt).toBeGreaterThan(systemClock.now() + 43_000_000);
  });

  it('may be nearly as long as the limit', async () => {
    const { plan, token } = planned();
    const SessionToken = 'x'.repeat(60 * 1024);
    sts.servers[0].script = (call) => success({ ...fieldsFor(call), SessionToken });

    const { session: issued } = await sts.adapter.issue(plan, token);

    expect(issued.credentials.sessionToken).toBe(SessionToken);
  });

  it('cannot be changed afterwards', async () => {
    const { plan, token } = planned();
    const { session: issued } = await sts.adapter.issue(plan, token);

    expect(() => Object.assign(issued.credentials, { accessKeyId: 'other' })).toThrow(TypeError);
    expect(() => Object.assign(issued, { subject: 'other' })).toThrow(TypeError);
  });
});

const lost: [string, Readonly<Record<string, string>>][] = [
  ['is dropped', {}],
  ['is emptied', { 'x-amzn-requestid': '' }],
  ['becomes a list', { 'x-amzn-requestid': 'one, two' }],
  ["becomes somebody else's words", { 'x-amzn-requestid': 'see /secret page' }],
  ['becomes too long', { 'x-amz-request-id': 'x'.repeat(129) }],
];
const namedByHeader: [string, Readonly<Record<string, string>>][] = [
  ['x-amzn-requestid', { 'x-amzn-requestid': 'by-header' }],
  ['X-Amzn-RequestId', { 'X-Amzn-RequestId': 'by-header' }],
  ['x-amzn-request-id', { 'x-amzn-request-id': 'by-header' }],
  ['x-amz-request-id', { 'x-amz-request-id': 'by-header' }],
];
/** With line feeds as STS has them, in pieces, and as a gateway writes XML anew. */
const documents: [string, (xml: string) => string, string | undefined][] = [
  ['has it', (xml) => xml, requestId],
  ['is indented', (xml) => xml.replaceAll('><', '>\n  <'), requestId],
  ['has blanks around it', (xml) => xml.replace(requestId, `\n ${requestId}\n `), requestId],
  ['has an empty one', (xml) => xml.replace(requestId, ''), undefined],
  ['has none', (xml) => xml.replace(/<RequestId>.*<\/RequestId>/, ''), undefined],
  ['has words in its place', (xml) => xml.replace(requestId, 'see /secret page'), undefined],
  ['has one that is too long', (xml) => xml.replace(requestId, 'x'.repeat(129)), undefined],
  ['has elements in its place', (xml) => xml.replace(requestId, '<a>b</a>'), undefined],
];
const ways = lost.flatMap(([header, headers]) =>
  documents.map(([document, change, expected]) => ({
    header,
    document,
    headers,
    change,
    expected,
  })),
);

describe('the request id of an answer, which decides nothing', () => {
  it.each(ways)(
    'T179: the header $header, the document $document: the session is good, and the record says which call it was',
    async ({ headers, change, expected }) => {
      const { plan, token } = planned();
      sts.servers[0].script = (call) => ({ headers, body: change(successXml(fieldsFor(call))) });
      const issued = await sts.adapter.issue(plan, token);
      expect(issued.session.stsRequestId).toBe(expected);
      expect(auditedCredentials(issued).stsRequestId).toBe(expected ?? null);
      expect(sts.servers[0].calls).toHaveLength(1);
    },
  );

  it.each(ways)(
    'T179: the header $header, the document $document: a refusal says which call it was',
    async ({ headers, change, expected }) => {
      const { plan, token } = planned();
      const refused = failure(403, 'AccessDenied') as { readonly body: string };
      sts.servers[0].script = () => ({ status: 403, headers, body: change(refused.body) });
      const error = await refusalOf(sts.adapter.issue(plan, token));
      expect(error.code).toBe('sts_access_denied');
      expect((error.cause as { requestId?: string }).requestId).toBe(expected);
      expect(secretsIn(error, ['/secret'])).toEqual([]);
    },
  );

  it.each(namedByHeader)('is that of the header %s where there is one', async (_name, headers) => {
    const { plan, token } = planned();
    sts.servers[0].script = (call) => ({ headers, body: successXml(fieldsFor(call)) });
    const issued = await sts.adapter.issue(plan, token);
    expect(issued.session.stsRequestId).toBe('by-header');
  });
});

describe('the context of identity propagation, which is data of end users', () => {
  const canary = 'CANARY-end-user-context';
  const context = `<TrustedIdentityPropagationContext>${canary}</TrustedIdentityPropagationContext>`;
  const withContext = (xml: string) => xml.replace('<Credentials>', `${context}<Credentials>`);

  it('T68: of identity propagation nothing is read, whether the answer is good or not', async () => {
    const { plan, token } = planned();
    sts.servers[0].script = ofXml(withContext);
    const issued = await sts.adapter.issue(plan, token);
    expect(issued.session.stsRequestId).toBe('id');
    expect(JSON.stringify(issued)).not.toContain(canary);

    sts.servers[0].script = ofXml((xml) =>
      withContext(xml).replace(/<AssumedRoleUser>.*<\/AssumedRoleUser>/, ''),
    );
    const refusal = await refusalOf(sts.adapter.issue(plan, token));
    expect(refusal.code).toBe('sts_bad_response');
    expect(secretsIn(refusal, [canary])).toEqual([]);
  });
});
