import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ClaimValue } from '../../../src/core/claim-value.ts';
import {
  claimValueMaxLength,
  referencedClaims,
  renderSessionPolicy,
  type SessionPolicy,
  worstCaseLength,
} from '../../../src/core/session/session-policy.ts';
import { claimRef } from '../../support/domain.ts';
import { runs, seenMoreThan } from '../../support/fuzz-budget.ts';

const ref = claimRef('team');
const invoices = (name: string) => `arn:aws:s3:::invoices/${name}/*`;

function policyOf(statement: Readonly<Record<string, unknown>>): SessionPolicy {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 's3:GetObject',
        Resource: 'arn:aws:s3:::invoices/*',
        ...statement,
      },
    ],
  };
}

function render(policy: SessionPolicy, claims: Readonly<Record<string, ClaimValue>> = {}) {
  return renderSessionPolicy(policy, new Map(Object.entries(claims)));
}

const safe = 'Az09_.@=-';

describe('a claim in a session policy (T22)', () => {
  it('is put into Resource, NotResource and Condition values, as often as it is named', () => {
    const fill = (name: string) =>
      policyOf({
        Resource: [invoices(name), `${invoices(name)}${name}`],
        Condition: {
          StringEquals: { 'aws:PrincipalTag/team': [name, 'fixed'], 's3:prefix': name },
        },
      });
    const text = JSON.stringify(fill(safe));
    expect(render(fill(ref), { team: safe })).toEqual({ kind: 'rendered', text });
  });

  it('is never put into the name of a member', () => {
    const policy = policyOf({ Condition: { StringEquals: { [ref]: 'x' }, [ref]: { a: 'b' } } });
    expect(render(policy, { team: 'orders' })).toEqual({
      kind: 'rendered',
      text: JSON.stringify(policy),
    });
  });

  it('is taken as it is, whatever it would mean to a replacement pattern or to another reference', () => {
    const policy = policyOf({ Resource: invoices(`${ref}-${claimRef('site')}`) });
    expect(render(policy, { team: claimRef('site'), site: 'east' })).toMatchObject({
      kind: 'unsafe_claim',
    });
    for (const team of ['$&', '$1', '$$', "$'", '$`']) {
      expect(render(policy, { team, site: 'east' })).toEqual({
        kind: 'unsafe_claim',
        claim: 'team',
      });
    }
  });

  it.each<[string, ClaimValue | undefined]>([
    ['a wildcard', '*'],
    ['a wildcard in the middle', 'or*ers'],
    ['a question mark', 'order?'],
    ['a policy variable', awsVariable('aws:username')],
    ['an escaped wildcard', awsVariable('*')],
    ['a path separator', 'orders/payments'],
    ['a parent folder', '../payments'],
    ['an ARN separator', 'orders:payments'],
    ['a quote', 'orders"'],
    ['a quote and more', 'x","Action":"*'],
    ['a backslash', 'orders\\'],
    ['an apostrophe', "orders'"],
    ['a comma', 'orders,payments'],
    ['a space', 'orders payments'],
    ['a trailing space', 'orders '],
    ['a line feed at the end', 'orders\n'],
    ['a line feed in the middle', 'orders\npayments'],
    ['a NUL', 'orders\u0000'],
    ['a letter beyond ASCII', 'ordérs'],
    ['a fullwidth asterisk', 'orders\uff0a'],
    ['a combining mark', 'orde\u0301rs'],
    ['nothing', ''],
    ['129 characters', 'a'.repeat(129)],
    ['a list', ['orders']],
    ['an empty list', []],
    ['no claim at all', undefined],
  ])('makes rendering fail when it holds %s', (_case, team) => {
    const policy = policyOf({ Resource: invoices(ref) });
    const claims: Record<string, ClaimValue> = team === undefined ? {} : { team };
    expect(render(policy, claims)).toEqual({ kind: 'unsafe_claim', claim: 'team' });
  });

  it('may have 128 characters', () => {
    const team = 'a'.repeat(claimValueMaxLength);
    expect(render(policyOf({ Resource: invoices(ref) }), { team })).toEqual({
      kind: 'rendered',
      text: JSON.stringify(policyOf({ Resource: invoices(team) })),
    });
  });

  it('makes rendering fail even when all the others are safe', () => {
    const policy = policyOf({ Resource: [invoices(claimRef('sub')), invoices(ref)] });
    expect(render(policy, { sub: 'ada', team: '*' })).toEqual({
      kind: 'unsafe_claim',
      claim: 'team',
    });
  });

  it('is never looked for among the properties that every object has', () => {
    for (const name of ['constructor', '__proto__', 'toString']) {
      const policy = policyOf({ Resource: invoices(claimRef(name)) });
      expect(render(policy)).toEqual({ kind: 'unsafe_claim', claim: name });
    }
  });
});

/** A template and the same policy with a plain text where the template has its claim. */
const holes = fc
  .record({
    before: fc.stringMatching(/^[a-z*/]{0,6}$/),
    after: fc.stringMatching(/^[a-z*/]{0,6}$/),
    place: fc.constantFrom('resource', 'resources', 'condition', 'conditions'),
  })
  .map(({ before, after, place }) => (text: string) => {
    const value = `arn:aws:s3:::${before}${text}${after}`;
    if (place === 'resource') return policyOf({ Resource: value });
    if (place === 'resources') return policyOf({ Resource: ['arn:aws:s3:::fixed', value] });
    const values = place === 'condition' ? value : [value, 'fixed'];
    return policyOf({ Condition: { StringLike: { 's3:prefix': values } } });
  });
const anyValue = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 140 }),
  fc.string({ unit: fc.constantFrom(...'aZ9_.@=-*?{$}:/"\\'), maxLength: 12 }),
  fc.stringMatching(/^[A-Za-z0-9_.@=-]{1,130}$/),
  fc.array(fc.string()),
);

describe('for any value of a claim (T22)', () => {
  it('the policy is refused, or differs from the one with a plain text in that text only', () => {
    let rendered = 0;
    fc.assert(
      fc.property(holes, anyValue, (hole, team) => {
        const result = render(hole(ref), { team });
        if (result.kind === 'unsafe_claim') return;
        rendered += 1;
        const [head, tail] = JSON.stringify(hole(ref)).split(ref);
        expect(JSON.parse(result.text)).toEqual(hole(String(team)));
        expect(result.text).toBe(`${head}${String(team)}${tail}`);
      }),
      runs(3000),
    );
    expect(rendered).toBeGreaterThan(seenMoreThan(100));
  });

  it('the worst case is never exceeded', () => {
    fc.assert(
      fc.property(holes, anyValue, (hole, team) => {
        const result = render(hole(ref), { team });
        if (result.kind === 'unsafe_claim') return;
        expect(result.text.length).toBeLessThanOrEqual(worstCaseLength(hole(ref)));
      }),
      runs(1000),
    );
  });
});

describe('the length of a session policy', () => {
  it('is at worst what it is with every claim at its longest', () => {
    const policy = policyOf({ Resource: [invoices(ref), invoices(`${ref}${claimRef('sub')}`)] });
    const longest = 'x'.repeat(claimValueMaxLength);
    const result = render(policy, { team: longest, sub: longest });
    expect(result).toMatchObject({ kind: 'rendered' });
    expect(result.kind === 'rendered' && result.text.length).toBe(worstCaseLength(policy));
  });
});

describe('a quick estimate of that length', () => {
  it('says of any policy and any room what the length says', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(ref, claimRef('"'), '${claim:', '}', 'é', '"', 'plain'), {
          maxLength: 20,
        }),
        fc.integer({ min: -1000, max: 1000 }),
        (parts, spare) => {
          const policy = { ...policyOf({ Resource: parts.join('') }), [parts.join('')]: parts };
          const room = Math.max(0, worstCaseLength(policy) + spare);
          expect(worstCaseLength(policy, room) > room).toBe(worstCaseLength(policy) > room);
        },
      ),
      runs(1000),
    );
  });
});

describe('the claims that a policy refers to', () => {
  it('are found in every value, however deep, and in no name', () => {
    const policy = policyOf({
      Resource: [invoices(ref), invoices(`${claimRef('custom:a.b')}${claimRef('sub')}`)],
      Condition: { StringEquals: { [claimRef('no')]: [claimRef('deep')] } },
    });
    expect(referencedClaims(policy)).toEqual(new Set(['team', 'custom:a.b', 'sub', 'deep']));
  });

  it('are found in linear time where references are never closed', () => {
    const policy = policyOf({ Resource: ref.slice(0, 8).repeat(200_000) });
    expect(referencedClaims(policy).size).toBe(0);
  });
});

function awsVariable(inside: string): string {
  return `\${${inside}}`;
}
