import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type RoleMappingInput, roleMappingSchema } from '../../../src/core/policy/role-mapping.ts';
import { usualMapping } from '../../../src/core/policy/usual-mapping.ts';
import { domainPool, mapping } from '../../support/domain.ts';
import { runs } from '../../support/fuzz-budget.ts';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const policy = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }],
};
/** Of every kind that a document of the table may be. */
const kinds: readonly Partial<RoleMappingInput>[] = [
  {},
  { principal: { pool: domainPool, user: 'u' }, enabled: false, managedBy: 'git' },
  { principal: { pool: domainPool, group: 'Zahlungen-ß' }, description: 'x', precedence: 0 },
  { conditions: { scopes: ['a/b', 'c'] }, session: { policy } },
  { conditions: { claims: { sub: ['x', true, 7] } }, session: { name: '{sub}', policy: {} } },
  { conditions: { expiresAt: '2026-01-31T12:00:00Z', scopes: ['s'], caller: 'machine' } },
  { conditions: { sourceCidrs: ['192.0.2.0/24'] }, effect: 'deny', role: '*' },
  { effect: 'deny', principal: { pool: '*', any: true } },
  { session: { tags: { team: 'x' }, transitiveTags: ['team'], sourceIdentity: 'me' } },
  { session: { policyArns: ['arn:aws:iam::aws:policy/ReadOnly'], identity: 'broker' } },
  { session: { callerPolicy: true, durationSeconds: 900, maxDurationSeconds: 43_200 } },
];
const inTheTable = (fields: Partial<RoleMappingInput>) =>
  JSON.parse(JSON.stringify(mapping('orders', fields))) as Json;

/** Near the bounds of some member, or of a type that it must not have. */
const odd: readonly Json[] = [
  ...[null, true, false, 0, -0, -1, 0.5, 1, 899, 900, 901, 999, 1000, 1001, 3600, 43_200, 43_201],
  ...['', ' ', 'a', 'A', 'a\n', 'é', 'e\u0301', '\ud800', '*', 'allow', 'deny', 'git', 'caller'],
  ...['x'.repeat(128), 'x'.repeat(129), 'y'.repeat(512), 'y'.repeat(513), '1', '__proto__'],
  // The longest, and one that is longer.
  `arn:aws:iam::123456789012:role/${'p'.repeat(2_015)}/r`,
  `arn:aws:iam::123456789012:role/${'p'.repeat(2_016)}/r`,
  ...[
    'arn:aws:iam::123456789012:role/r',
    'arn:aws:iam::123456789012:role/*',
    '2026-02-30T00:00:00Z',
  ],
  ...[
    [],
    {},
    [[]],
    [''],
    ['a'],
    ['a', 'a'],
    Array(50).fill('s') as Json,
    Array(51).fill('s') as Json,
  ],
  ...[{ a: 1 }, { pool: 'p', client: 'c' }, { pool: '*', any: true }, { constructor: 'x' }],
  ...[{ pool: 'p', client: 'c', user: 'u' }, { pool: 'p', group: 'e\u0301' }, { scopes: [] }],
  ...[{ scopes: ['a', 1] }, { scopes: ['a'], other: 1 }, { Version: {}, hasOwnProperty: 1 }],
];
const members = [
  ...Object.keys(roleMappingSchema.shape),
  ...['durationSeconds', 'maxDurationSeconds', 'name', 'policy', 'policyArns', 'callerPolicy'],
  ...['identity', 'tags', 'scopes', 'claims', 'pool', 'client', 'user', 'group', 'any', 'more'],
];

/** Puts a value, or nothing, somewhere into the document. */
const change = fc.record({
  into: fc.constantFrom('', '', 'principal', 'conditions', 'session'),
  member: fc.constantFrom(...members),
  value: fc.oneof(
    fc.constantFrom<Json | undefined>(undefined, ...odd),
    fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
  ),
});

function changed(
  document: Json,
  { into, member, value }: { into: string; member: string; value: Json | undefined },
) {
  const whole = document as { [name: string]: Json };
  const part = (into === '' ? whole : whole[into]) as { [name: string]: Json } | undefined;
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return;
  // A copy: the next change may be within it, and the values are there for all cases.
  if (value === undefined) delete part[member];
  else part[member] = structuredClone(value);
}

function expectSchemasWord(document: unknown): boolean {
  const usual = usualMapping(document);
  if (usual === undefined) return false;
  const parsed = roleMappingSchema.safeParse(document);
  expect(parsed.success).toBe(true);
  expect(usual).toStrictEqual(parsed.data);
  // Texts are compared as well: the order of members counts.
  expect(JSON.stringify(usual)).toBe(JSON.stringify(parsed.data));
  return true;
}

describe('a mapping of the usual form', () => {
  it.each(kinds)('is read without the whole schema, and as the schema reads it: %j', (fields) => {
    const document = inTheTable(fields);
    const rare = fields.role === '*' || 'any' in (fields.principal ?? {});
    expect(expectSchemasWord(document)).toBe(!rare);
  });

  it('is what the schema makes of it, whatever is changed in it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...kinds),
        fc.array(change, { minLength: 1, maxLength: 3 }),
        (fields, changes) => {
          const document = inTheTable(fields);
          for (const one of changes) changed(document, one);
          expectSchemasWord(document);
        },
      ),
      runs(20_000),
    );
  });

  it('is what the schema makes of it with anything odd anywhere', () => {
    const places = ['', 'principal', 'conditions', 'session'].flatMap((into) =>
      members.flatMap((member) => odd.map((value) => ({ into, member, value }))),
    );
    const taken = places.filter((place) => {
      const document = inTheTable({});
      changed(document, place);
      return expectSchemasWord(document);
    });
    expect(taken.length).toBeGreaterThan(50);
  });

  it.each([undefined, null, 1, 'x', [], [[]], {}])('is not %p', (document) => {
    expect(usualMapping(document)).toBeUndefined();
  });

  it('has parts of its own', () => {
    const document = inTheTable({ conditions: { scopes: ['a'] }, session: { policy } });
    const usual = usualMapping(document);
    const before = JSON.stringify(usual);
    changed(document, { into: 'session', member: 'policy', value: null });
    changed(document, { into: 'conditions', member: 'scopes', value: [] });
    changed(document, { into: 'principal', member: 'pool', value: 'x' });
    expect(JSON.stringify(usual)).toBe(before);
  });
});
