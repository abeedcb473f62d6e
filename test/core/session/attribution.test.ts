import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { defaultGuardrails, type ReservedTag } from '../../../src/core/policy/guardrails.ts';
import { checkRoleMapping } from '../../../src/core/policy/mapping-check.ts';
import type { RoleMappingInput } from '../../../src/core/policy/role-mapping.ts';
import { packedSizeEstimate } from '../../../src/core/session/packed-size.ts';
import { sessionKey } from '../../../src/sts/session-key.ts';
import {
  ask,
  caller,
  claimRef,
  mapping,
  mappingDocument,
  warningsOf,
} from '../../support/domain.ts';
import { runs } from '../../support/fuzz-budget.ts';

type Session = NonNullable<RoleMappingInput['session']>;

interface Around {
  readonly byDefault?: 'caller' | 'broker';
  readonly brokerIssues?: boolean;
  readonly reservedTags?: readonly ReservedTag[];
}

function faultsOf(document: unknown, around: Around = {}) {
  const { byDefault = 'caller', brokerIssues = true, reservedTags = [] } = around;
  const check = checkRoleMapping(document, {
    matchableClaims: new Set(['custom:team', 'custom:tenant']),
    guardrails: { ...defaultGuardrails, reservedTags },
    webIdentity: { byDefault, brokerIssues },
  });
  return check.kind === 'valid' ? [] : check.faults;
}

const ofSession = (session: Session, around?: Around) =>
  faultsOf(mappingDocument('orders', { session }), around);
const pointersOf = (session: Session, around?: Around) =>
  ofSession(session, around).map(({ pointer }) => pointer);
const issued = (session: Session): Session => ({ identity: 'broker', ...session });
const variable = (name: string) => `\${${name}}`;
const team = claimRef('custom:team');

describe('tags and source identity of a role mapping', () => {
  it('may be fixed, or hold a claim', () => {
    const tags = { tenant: 'acme', team, 'cost center': `cc/${claimRef('client_id')}` };
    const session = { tags, transitiveTags: ['tenant'], sourceIdentity: claimRef('sub') };
    expect(ofSession(issued(session))).toEqual([]);
    expect(ofSession(session, { byDefault: 'broker' })).toEqual([]);
  });

  it('need a token that the broker issues, and a broker that issues any (T141)', () => {
    for (const member of [{ tags: { tenant: 'acme' } }, { sourceIdentity: 'acme' }]) {
      expect(pointersOf(member)).toEqual(['/session/identity']);
      const own = { ...member, identity: 'caller' as const };
      expect(pointersOf(own, { byDefault: 'broker' })).toEqual(['/session/identity']);
    }
    expect(pointersOf(issued({}), { brokerIssues: false })).toEqual(['/session/identity']);
  });

  it.each<[string, Session, string]>([
    ['a key of AWS', { tags: { 'aws:team': 'a' } }, '/session/tags/aws:team'],
    ['a key of AWS in other letters', { tags: { 'AWS:team': 'a' } }, '/session/tags/AWS:team'],
    ['a claim in a key', { tags: { [team]: 'a' } }, `/session/tags/${team}`],
    ['an empty key', { tags: { '': 'a' } }, '/session/tags/'],
    ['a long key', { tags: { [`k${'x'.repeat(128)}`]: 'a' } }, `/session/tags/k${'x'.repeat(128)}`],
    ['two keys that IAM takes for one', { tags: { team: 'a', Team: 'b' } }, '/session/tags/Team'],
    ['an empty value', { tags: { team: '' } }, '/session/tags/team'],
    ['a value with a quote', { tags: { team: '"' } }, '/session/tags/team'],
    ['a value with a line feed', { tags: { team: 'a\nb' } }, '/session/tags/team'],
    ['a value with a line separator', { tags: { team: 'a\u2028b' } }, '/session/tags/team'],
    ['a value in two spellings', { tags: { team: '\u212b' } }, '/session/tags/team'],
    ['a long value', { tags: { team: 'x'.repeat(257) } }, '/session/tags/team'],
    [
      'a variable that is no claim',
      { tags: { team: variable('aws:username') } },
      '/session/tags/team',
    ],
    ['a claim that is not closed', { tags: { team: '$' + '{claim:sub' } }, '/session/tags/team'],
    ['several claims in a value', { tags: { team: `${team}/${team}` } }, '/session/tags/team'],
    ['a claim that is not to be matched', { tags: { t: claimRef('nickname') } }, '/session/tags/t'],
    ['a short source identity', { sourceIdentity: 'a' }, '/session/sourceIdentity'],
    ['a long source identity', { sourceIdentity: 'a'.repeat(65) }, '/session/sourceIdentity'],
    ['a source identity with a blank', { sourceIdentity: 'a b' }, '/session/sourceIdentity'],
    ['a transitive key that is none', { transitiveTags: ['team'] }, '/session/transitiveTags/0'],
    [
      'a transitive key twice',
      { tags: { team: 'a' }, transitiveTags: ['team', 'team'] },
      '/session/transitiveTags/1',
    ],
  ])('are refused with %s', (_what, session, pointer) => {
    expect(pointersOf(issued(session))).toEqual([pointer]);
  });

  it('are refused beyond 50 tags, in a deny, and with a role whose path parts a list', () => {
    const many = Object.fromEntries(Array.from({ length: 51 }, (_, n) => [`k${n}`, 'v']));
    expect(pointersOf(issued({ tags: many }))).toEqual(['/session/tags']);
    const deny = mappingDocument('stop', { effect: 'deny', session: issued({ tags: { a: 'b' } }) });
    expect(faultsOf(deny).map(({ pointer }) => pointer)).toEqual([
      '/session/identity',
      '/session/tags',
    ]);
    const role = 'arn:aws:iam::123456789012:role/a;b/orders';
    const parted = mappingDocument('orders', { role, session: issued({}) });
    expect(faultsOf(parted).map(({ pointer }) => pointer)).toEqual(['/role']);
    expect(faultsOf(mappingDocument('orders', { role }))).toEqual([]);
  });

  it('keep to the tags that the configuration reserves, whatever the case of their keys (T142)', () => {
    const reservedTags = [{ key: 'tenant', value: claimRef('custom:tenant') }, { key: 'admin' }];
    const pointers = (tags: Record<string, string>) =>
      pointersOf(issued({ tags }), { reservedTags });
    expect(pointers({ tenant: claimRef('custom:tenant'), team: 'a' })).toEqual([]);
    expect(pointers({ tenant: 'acme' })).toEqual(['/session/tags/tenant']);
    expect(pointers({ Tenant: `x${claimRef('custom:tenant')}` })).toEqual(['/session/tags/Tenant']);
    expect(pointers({ ADMIN: 'true' })).toEqual(['/session/tags/ADMIN']);
  });

  it('are warned of when they may fill the token of the session', () => {
    const warned = (session: Session) =>
      warningsOf(mapping('orders', { session: issued(session) }))
        .filter(({ pointer }) => pointer === '/session/tags')
        .map(({ detail }) => detail);
    const claims = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, team]));
    expect(warned({ tags: claims(5) })).toEqual([]);
    expect(warned({ tags: claims(6) })).toEqual([expect.stringContaining('83 %')]);
    expect(packedSizeEstimate({ policyArns: [] })).toBe(25);
  });
});

describe('what a session is told of its caller', () => {
  const policyWith = (session: Session) => [mapping('orders', { session: issued(session) })];
  const decide = (session: Session, claims: Record<string, unknown>) =>
    ask({ policy: policyWith(session), by: caller({ claims: claims as never }) });

  it('is the values as the caller has them, each with its claim', () => {
    const session = {
      tags: { team, tenant: 'acme' },
      transitiveTags: ['tenant', 'team'],
      sourceIdentity: claimRef('sub'),
    };
    expect(decide(session, { 'custom:team': 'Zahlungen/ß' })).toMatchObject({
      kind: 'allow',
      session: {
        identity: 'broker',
        attribution: {
          tags: [
            { key: 'team', value: 'Zahlungen/ß', claim: 'custom:team' },
            { key: 'tenant', value: 'acme', claim: undefined },
          ],
          transitiveTagKeys: ['team', 'tenant'],
          sourceIdentity: { value: caller().subject, claim: 'sub' },
        },
      },
    });
  });

  it.each<[string, unknown]>([
    ['is absent', undefined],
    ['is empty', ''],
    ['is a number', 7],
    ['is a list', ['payments']],
    ['cannot be compared', { incomparable: null }],
    ['has a quote', 'a"b'],
    ['has a brace', 'a}'],
    ['is a variable', variable('aws:username')],
    ['is a reference of ours', claimRef('sub')],
    ['has a line feed', 'a\nb'],
    ['has a line separator', 'a\u2028b'],
    ['has a tabulator', 'a\tb'],
    ['has a no-break space', 'a\u00a0b'],
    ['writes from right to left', 'a\u202eb'],
    ['has a zero-width joiner', 'a\u200db'],
    ['is not normalized', 'e\u0301'],
    ['has another spelling', '\u212b'],
    ['has 257 characters', 'x'.repeat(257)],
    ['has 300 characters', 'x'.repeat(300)],
    ['is long in UTF-16', '\u{20000}'.repeat(129)],
    ['has a wildcard', 'a*'],
  ])('denies where the claim %s (T140)', (_what, value) => {
    const claims = value === undefined ? {} : { 'custom:team': value };
    expect(decide({ tags: { team } }, claims)).toMatchObject({
      kind: 'deny',
      reason: 'claim_unsafe',
    });
    expect(decide({ sourceIdentity: team }, claims)).toMatchObject({ reason: 'claim_unsafe' });
  });

  it('is never changed on its way, and never the same for two callers (T140)', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc.string({ unit: fc.constantFrom('a', 'b', '.', ' ', '/', '\u0301', '"', '$', '{') }),
    );
    const literal = fc.constantFrom('', 'x', 'x/', 'team ');
    fc.assert(
      fc.property(text, text, literal, (one, other, prefix) => {
        const session = { tags: { team: `${prefix}${team}` } };
        const [first, second] = [one, other].map((value) => {
          const decision = decide(session, { 'custom:team': value });
          if (decision.kind !== 'allow') return undefined;
          expect(decision.session.attribution?.tags[0]?.value).toBe(`${prefix}${value}`);
          return decision.session;
        });
        if (first === undefined || second === undefined || one === other) return;
        expect(sessionKey(first)).not.toBe(sessionKey(second));
      }),
      runs(2_000),
    );
  });
});
