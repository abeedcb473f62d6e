/** Whom a denied caller is told to ask, at every wire form, and what that must not tell. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { configSchema } from '../../src/config/schema.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import type { Answer, Call } from '../support/http-call.ts';
import { allow, defaultMappings, roleNamed } from '../support/outside-world.ts';
import { formOf, formType, readAnswer, webIdentity } from '../support/sts-call.ts';

const everybody = '#aws-access';
const payments = '#payments <oncall> & "friends"';
const reports = 'https://reports.example.com/access';
const owners = [
  {
    owner: 'payments-team',
    contact: payments,
    roles: [roleNamed('payments-*'), 'payments-*', roleNamed('exact')],
  },
  { owner: 'reports-team', contact: reports },
];

let broker: BrokerFixture;
beforeAll(async () => {
  broker = await startBrokerFixture({
    mappings: [
      ...defaultMappings,
      allow('payments-writer', 'orders', {
        role: roleNamed('payments-writer'),
        owner: 'secret-team',
      }),
      allow('payments-scoped', 'stranger', {
        role: roleNamed('payments-scoped'),
        conditions: { scopes: ['payments/write'] },
        owner: 'payments-team',
      }),
      allow('payments-denied', 'stranger', {
        role: roleNamed('payments-denied'),
        owner: 'payments-team',
      }),
      allow('no-payments', 'stranger', {
        effect: 'deny',
        role: roleNamed('payments-denied'),
        owner: 'reports-team',
      }),
      allow('reports-night', 'stranger', {
        role: roleNamed('reports-night'),
        conditions: { sourceCidrs: ['192.0.2.0/24'] },
        owner: 'reports-team',
      }),
      allow('ledger-night', 'stranger', {
        role: roleNamed('ledger-night'),
        conditions: { sourceCidrs: ['192.0.2.0/24'] },
        owner: 'ledger-team',
      }),
    ],
    configure: (config) => ({ ...config, accessHelp: { contact: everybody, owners } }),
  });
});
afterAll(() => broker.stop());

const forms: Readonly<Record<string, (role: string) => Omit<Call, 'token'>>> = {
  REST: (role) => ({ method: 'POST', path: '/v1/credentials', body: { role } }),
  'container credentials': (role) => ({ path: `/v1/credentials?role=${encodeURIComponent(role)}` }),
  STS: (role) => ({
    method: 'POST',
    path: '/sts',
    headers: { 'content-type': formType },
    body: formOf(webIdentity(broker.token('stranger'), { RoleArn: role })),
  }),
};
const deniedBy = async (form: string, role: string): Promise<Answer> => {
  const call = forms[form]?.(role) as Omit<Call, 'token'>;
  const token = form === 'STS' ? {} : { token: broker.token('stranger') };
  const answer = await broker.call({ ...call, ...token });
  expect(answer.status).toBe(403);
  return answer;
};
/** All of it but what tells one request from another. */
const words = ({ text, requestId }: Answer) => text.replaceAll(requestId ?? '', '…');
const anyId = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
const messageOf = (answer: Answer) =>
  (readAnswer(answer).xml as { readonly Error: { readonly Message: string } }).Error.Message;
const detailOf = (form: string, answer: Answer): string =>
  form === 'STS' ? messageOf(answer) : answer.body.detail;

describe('a denial', () => {
  it.each(Object.keys(forms))('says where the reason is, and whom to ask: %s', async (form) => {
    const detail = detailOf(form, await deniedBy(form, roleNamed('nothing-of-the-kind')));
    expect(detail).toContain('GET /v1/caller?role=');
    expect(detail).toContain(everybody);
  });

  it.each(Object.keys(forms))(
    'names the owner of what was asked for, as they allow: %s',
    async (form) => {
      for (const role of [roleNamed('payments-any'), roleNamed('EXACT')]) {
        const detail = detailOf(form, await deniedBy(form, role));
        expect(detail).toContain(payments);
        expect(detail).not.toContain(everybody);
      }
    },
  );

  it.each(Object.keys(forms))(
    'T260: is the same whether there is no such mapping, it is of others, denied, or lacks a condition: %s',
    async (form) => {
      const of = async (name: string) =>
        words(await deniedBy(form, roleNamed(name))).replaceAll(name, 'NAME');
      const absent = await of('payments-absent');
      expect(await of('payments-writer')).toBe(absent);
      expect(await of('payments-scoped')).toBe(absent);
      expect(await of('payments-denied')).toBe(absent);
      const elsewhere = await of('absent-elsewhere');
      expect(await of('reports-night')).toBe(elsewhere);
      expect(await of('ledger-night')).toBe(elsewhere);
    },
  );

  it('T260: is the same for ids of mappings', async () => {
    const of = async (role: string) => words(await deniedBy('REST', role));
    expect(await of('payments-writer')).toBe(await of('payments-absent'));
    expect(await of('reports-night')).toBe(await of('absent'));
  });
});

describe('a denial that was printed before', () => {
  it.each(Object.keys(forms))('has the id of its own request, and no other: %s', async (form) => {
    const answers: Answer[] = [];
    for (let times = 0; times < 3; times += 1) {
      answers.push(await deniedBy(form, roleNamed('again-and-again')));
    }
    expect(new Set(answers.map(({ requestId }) => requestId)).size).toBe(3);
    for (const answer of answers) {
      expect(answer.text.match(anyId)).not.toBeNull();
      for (const id of answer.text.match(anyId) ?? []) expect(id).toBe(answer.requestId);
      expect(words(answer)).toBe(words(answers[0] as Answer));
    }
  });

  it('is about the role that was asked for this time', async () => {
    for (const name of ['payments-again', 'reports-again', 'payments-again', 'EXACT']) {
      const detail = detailOf('REST', await deniedBy('REST', roleNamed(name)));
      expect(detail.includes(payments)).toBe(!name.startsWith('reports'));
    }
  });
});

describe('GET /v1/caller?role=', () => {
  const asked = async (role: string) =>
    (await broker.call({ path: `/v1/caller?role=${role}`, token: broker.token('stranger') })).body
      .asked;

  it('names the owner of a mapping that is about the caller, where the owner allows it', async () => {
    expect(await asked('reports-night')).toMatchObject({
      reason: 'source_outside',
      contact: reports,
    });
    expect(await asked('ledger-night')).toMatchObject({
      reason: 'source_outside',
      contact: everybody,
    });
  });

  it('T260: says of a mapping of others what it says of none, and not whose a deny is', async () => {
    const { role, ...answer } = await asked('payments-writer');
    expect([role, answer]).toEqual([
      'payments-writer',
      { decision: 'deny', reason: 'no_mapping', contact: payments },
    ]);
    expect(await asked('payments-absent')).toEqual({ ...answer, role: 'payments-absent' });
    expect(await asked('payments-denied')).toMatchObject({
      reason: 'explicit_deny',
      contact: payments,
    });
  });
});

describe('accessHelp in the configuration', () => {
  const faults = (accessHelp: unknown) =>
    configSchema.shape.accessHelp.safeParse(accessHelp).error?.issues.length ?? 0;

  it.each<[string, unknown]>([
    ['a line feed', { contact: 'a\nb' }],
    ['what acts on a terminal', { contact: 'a\u001b[2J' }],
    ['what turns text around', { contact: 'a\u202eb' }],
    ['too much', { contact: 'x'.repeat(201) }],
    ['a wildcard in the middle', { owners: [{ owner: 'a', contact: 'b', roles: ['a*b'] }] }],
    ['a wildcard alone', { owners: [{ owner: 'a', contact: 'b', roles: ['*'] }] }],
    ['a role twice', { owners: [{ owner: 'a', contact: 'b', roles: ['a', 'a'] }] }],
    ['an owner without a contact', { owners: [{ owner: 'a', roles: ['a'] }] }],
  ])('does not take %s', (_what, accessHelp) => {
    expect(faults(accessHelp)).toBeGreaterThan(0);
  });

  it('may be left out', () => {
    expect(faults(undefined)).toBe(0);
  });
});
