import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { defaultGuardrails } from '../../../src/core/policy/guardrails.ts';
import { checkRoleMapping } from '../../../src/core/policy/mapping-check.ts';
import { compileSnapshot } from '../../../src/core/policy/policy-snapshot.ts';
import { caller, claimRef, domainPool, mappingDocument } from '../../support/domain.ts';
import { runs } from '../../support/fuzz-budget.ts';

const rules = {
  matchableClaims: new Set(['custom:team', 'a/b~c']),
  guardrails: defaultGuardrails,
};
const check = (document: unknown) => checkRoleMapping(document, rules);

function pointersOf(document: unknown): readonly string[] {
  const result = check(document);
  return result.kind === 'valid' ? [] : result.faults.map(({ pointer }) => pointer);
}

const role = 'arn:aws:iam::123456789012:role/broker/orders';
const client = { pool: domainPool, client: 'c' };
const document = (fields: Readonly<Record<string, unknown>> = {}) => ({
  ...mappingDocument('orders'),
  ...fields,
});
const conditions = (fields: unknown) => document({ conditions: fields });
const session = (fields: unknown) => document({ session: fields });
const policyFor = (resource: string) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: resource }],
});
const policyArn = (name: string) => `arn:aws:iam::123456789012:policy/${name}`;

describe('a role mapping', () => {
  it('gets the defaults that are documented', () => {
    expect(check(document())).toEqual({
      kind: 'valid',
      mapping: {
        ...mappingDocument('orders'),
        description: '',
        conditions: {},
        session: {
          durationSeconds: 3600,
          maxDurationSeconds: 3600,
          name: '{sub}',
          policyArns: [],
        },
        precedence: 100,
        managedBy: 'api',
        enabled: true,
      },
    });
  });

  it.each<[string, unknown]>([
    ['a user as principal', document({ principal: { pool: domainPool, user: 'u' } })],
    [
      'a group with letters of any script',
      document({ principal: { pool: domainPool, group: 'Zahlungen-ß' } }),
    ],
    [
      'an identity pool',
      document({
        principal: {
          pool: 'us-east-1:0a1b2c3d-1111-4222-8333-944445555666',
          group: 'authenticated',
        },
      }),
    ],
    [
      'a deny for anyone',
      document({ effect: 'deny', role: '*', principal: { pool: '*', any: true } }),
    ],
    ['a role without a path', document({ role: 'arn:aws:iam::123456789012:role/orders' })],
    [
      'a role in another partition',
      document({ role: 'arn:aws-us-gov:iam::123456789012:role/a/b/orders' }),
    ],
    ['a leap day', conditions({ expiresAt: '2028-02-29T23:59:59Z' })],
    [
      'a claim that may be matched',
      conditions({ claims: { 'custom:team': ['x', true, 7], sub: ['y'], client_id: ['z'] } }),
    ],
    [
      'a claim in the session policy',
      session({ policy: policyFor(`arn:aws:s3:::x/${claimRef('custom:team')}`) }),
    ],
    ['a session policy of the caller', session({ callerPolicy: true })],
    [
      'a session policy of its own, and none of the caller',
      session({ callerPolicy: false, policy: policyFor('arn:aws:s3:::x') }),
    ],
    ['a session name that callers have a say in', session({ name: '{requested}@{client}' })],
    [
      'ten policy ARNs',
      session({ policyArns: Array.from({ length: 10 }, (_, n) => policyArn(`p${n}`)) }),
    ],
  ])('may have %s', (_case, valid) => {
    expect(pointersOf(valid)).toEqual([]);
  });

  it.each<[string, unknown, string | readonly string[]]>([
    ['is no object', 'orders', ''],
    ['is null', null, ''],
    ['is a list', [document()], ''],
    ['has no members', {}, ['/id', '/principal', '/effect', '/role', '/owner']],
    ['has an unknown member', document({ scope: 'x' }), '/scope'],
    ['has several unknown members', document({ scope: 'x', 'a/b': 1 }), ['/scope', '/a~1b']],
    ['has an unknown condition', conditions({ scope: ['x'] }), '/conditions/scope'],
    ['has an unknown session setting', session({ duration: 900 }), '/session/duration'],
    ['has an id in capitals', document({ id: 'Orders' }), '/id'],
    ['has an id of 64 characters', document({ id: 'a'.repeat(64) }), '/id'],
    ['has an id with a line feed', document({ id: 'orders\n' }), '/id'],
    [
      'has a principal of two kinds',
      document({ principal: { ...client, user: 'u' } }),
      '/principal',
    ],
    ['has a principal without a pool', document({ principal: { client: 'c' } }), '/principal'],
    [
      'has a principal in any pool',
      document({ principal: { pool: '*', client: 'c' } }),
      '/principal/pool',
    ],
    [
      'has a principal with a space',
      document({ principal: { ...client, client: 'a b' } }),
      '/principal/client',
    ],
    [
      'has a group that is not in NFC',
      document({ principal: { pool: domainPool, group: 'e\u0301' } }),
      '/principal/group',
    ],
    [
      'has a group with a space',
      document({ principal: { pool: domainPool, group: 'a b' } }),
      '/principal/group',
    ],
    [
      'denies by a scope, which callers may leave out (T61)',
      document({ effect: 'deny', conditions: { scopes: ['orders/write'] } }),
      '/conditions/scopes',
    ],
    ['allows anyone', document({ principal: { pool: domainPool, any: true } }), '/principal'],
    ['has an effect in capitals', document({ effect: 'ALLOW' }), '/effect'],
    ['allows every role', document({ role: '*' }), '/role'],
    [
      'has a role with a wildcard',
      document({ role: 'arn:aws:iam::123456789012:role/broker/*' }),
      '/role',
    ],
    [
      'has a role with a wildcard in its path',
      document({ role: 'arn:aws:iam::123456789012:role/*/orders' }),
      '/role',
    ],
    [
      'has a role with a wildcard account',
      document({ role: 'arn:aws:iam::*:role/orders' }),
      '/role',
    ],
    [
      'has a role with a question mark',
      document({ role: 'arn:aws:iam::123456789012:role/order?' }),
      '/role',
    ],
    ['has a user for a role', document({ role: 'arn:aws:iam::123456789012:user/orders' }), '/role'],
    [
      'has a role of 65 characters',
      document({ role: `arn:aws:iam::123456789012:role/${'a'.repeat(65)}` }),
      '/role',
    ],
    ['has a role with a line feed', document({ role: `${role}\n` }), '/role'],
    ['has an empty list of scopes', conditions({ scopes: [] }), '/conditions/scopes'],
    ['has a scope with a space', conditions({ scopes: ['a b'] }), '/conditions/scopes/0'],
    [
      'matches a claim that it may not',
      conditions({ claims: { email: ['a@b'] } }),
      '/conditions/claims/email',
    ],
    [
      'matches a claim with a slash that it may not',
      conditions({ claims: { 'x/y~z': ['a'] } }),
      '/conditions/claims/x~1y~0z',
    ],
    ['has a claim without values', conditions({ claims: { sub: [] } }), '/conditions/claims/sub'],
    [
      'has a claim value that is not in NFC',
      conditions({ claims: { 'a/b~c': ['x', 'e\u0301'] } }),
      '/conditions/claims/a~1b~0c/1',
    ],
    [
      'has an address for a block',
      conditions({ sourceCidrs: ['10.0.0.1'] }),
      '/conditions/sourceCidrs/0',
    ],
    [
      'has a block with 33 bits',
      conditions({ sourceCidrs: ['::/0', '10.0.0.0/33'] }),
      '/conditions/sourceCidrs/1',
    ],
    [
      'starts on a day that does not exist',
      conditions({ notBefore: '2026-02-30T00:00:00Z' }),
      '/conditions/notBefore',
    ],
    [
      'expires on a day that does not exist',
      conditions({ expiresAt: '2026-04-31T00:00:00Z' }),
      '/conditions/expiresAt',
    ],
    [
      'expires in an hour that does not exist',
      conditions({ expiresAt: '2026-04-30T24:00:00Z' }),
      '/conditions/expiresAt',
    ],
    [
      'expires in local time',
      conditions({ expiresAt: '2026-04-30T12:00:00+02:00' }),
      '/conditions/expiresAt',
    ],
    [
      'expires on a date without a time',
      conditions({ expiresAt: '2026-04-30' }),
      '/conditions/expiresAt',
    ],
    [
      'expires as it starts',
      conditions({ notBefore: '2026-01-01T00:00:00Z', expiresAt: '2026-01-01T00:00:00Z' }),
      '/conditions/expiresAt',
    ],
    ['lasts less than 900 seconds', session({ durationSeconds: 899 }), '/session/durationSeconds'],
    ['lasts half seconds', session({ durationSeconds: 900.5 }), '/session/durationSeconds'],
    [
      'lasts more than 12 hours',
      session({ maxDurationSeconds: 43_201 }),
      '/session/maxDurationSeconds',
    ],
    ['lasts longer than it may', session({ durationSeconds: 3601 }), '/session/durationSeconds'],
    [
      'has a session name with an unknown variable',
      session({ name: '{username}' }),
      '/session/name',
    ],
    ['has an empty session name', session({ name: '' }), '/session/name'],
    [
      'lets callers choose the whole session name',
      session({ name: '{requested}' }),
      '/session/name',
    ],
    [
      'takes a session policy of the caller besides its own, which would widen it',
      session({ callerPolicy: true, policy: policyFor('*') }),
      '/session/callerPolicy',
    ],
    [
      'takes a session policy of the caller besides its own policy ARNs',
      session({ callerPolicy: true, policyArns: [policyArn('p')] }),
      '/session/callerPolicy',
    ],
    [
      'is a deny that takes a session policy of the caller',
      document({ effect: 'deny', session: { callerPolicy: true } }),
      '/session/callerPolicy',
    ],
    ['has a text for callerPolicy', session({ callerPolicy: 'true' }), '/session/callerPolicy'],
    [
      'has a policy ARN that is none',
      session({ policyArns: ['arn:aws:s3:::x'] }),
      ['/session/policyArns/0', '/session/policyArns/0'],
    ],
    [
      'has eleven policy ARNs',
      session({ policyArns: Array.from({ length: 11 }, (_, n) => policyArn(`p${n}`)) }),
      '/session/policyArns',
    ],
    [
      'has policy ARNs that are too long together',
      session({ policyArns: Array.from({ length: 5 }, () => policyArn('p'.repeat(400))) }),
      '/session/policyArns',
    ],
    [
      'has a session policy that cannot work',
      session({ policy: { ...policyFor('*'), Version: '1' } }),
      '/session/policy/Version',
    ],
    [
      'has a session policy with a Principal',
      session({
        policy: {
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Principal: '*', Action: '*', Resource: '*' }],
        },
      }),
      '/session/policy/Statement/0/Principal',
    ],
    [
      'puts a claim into its policy that it may not',
      session({ policy: policyFor(`arn:aws:s3:::${claimRef('email')}`) }),
      '/session/policy',
    ],
    ['has a negative precedence', document({ precedence: -1 }), '/precedence'],
    ['has an owner with a space', document({ owner: 'a b' }), '/owner'],
    ['is managed by nobody known', document({ managedBy: 'terraform' }), '/managedBy'],
    ['has a text for enabled', document({ enabled: 'false' }), '/enabled'],
    ['has a member named __proto__', JSON.parse('{"__proto__": {}}'), ''],
    [
      'has a condition named __proto__, which would be lost',
      conditions({ claims: JSON.parse('{"__proto__": ["x"]}') }),
      '',
    ],
    [
      'has __proto__ in its session policy',
      session({ policy: JSON.parse('{"__proto__": {}, "Version": "2012-10-17"}') }),
      '',
    ],
  ])('is refused when it %s (T18, T19)', (_case, invalid, pointers) => {
    expect(pointersOf(invalid)).toEqual([pointers].flat());
  });

  it('is told all its faults at once', () => {
    const invalid = document({
      conditions: {
        claims: { email: ['x'] },
        notBefore: '2027-01-01T00:00:00Z',
        expiresAt: '2026-01-01T00:00:00Z',
      },
      session: { durationSeconds: 7200, name: '{x}', policy: {} },
    });
    expect(pointersOf(invalid)).toEqual([
      '/conditions/expiresAt',
      '/conditions/claims/email',
      '/session/durationSeconds',
      '/session/name',
      '/session/policy/Version',
      '/session/policy/Statement',
    ]);
  });
});

describe('the session policy and its ARNs', () => {
  /** A document whose policy has `length` characters at worst. */
  function ofLength(length: number, reference: string, policyArns: readonly string[] = []) {
    const longest = reference === '' ? 0 : 128;
    const bare = JSON.stringify(policyFor('arn:aws:s3:::')).length;
    const filler = 'x'.repeat(length - bare - longest - policyArns.join('').length);
    return session({ policy: policyFor(`arn:aws:s3:::${filler}${reference}`), policyArns });
  }

  it.each<[string, string, readonly string[]]>([
    ['without claims', '', []],
    ['with a claim at its longest', claimRef('sub'), []],
    ['with a policy ARN', '', [policyArn('a')]],
    ['with both', claimRef('sub'), [policyArn('a'), policyArn('b')]],
  ])('may have 2,048 characters together, %s', (_case, reference, arns) => {
    expect(pointersOf(ofLength(2048, reference, arns))).toEqual([]);
    expect(pointersOf(ofLength(2049, reference, arns))).toEqual(['/session/policy']);
  });
});

describe('a hostile document (T19)', () => {
  /** Generous for one linear pass; what is exponential or quadratic does not end within the test's time. */
  const size = 200_000;
  const nested = (levels: number) => {
    let value: unknown = 'x';
    for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { a: value };
    return value;
  };

  it.each<[string, unknown]>([
    ['nested 100,000 deep', session({ policy: { Statement: nested(100_000) } })],
    ['with very many members', session({ policy: { Statement: Array(size).fill('x') } })],
    ['with a path of very many segments', document({ role: `${role}/${'a/'.repeat(size)}*` })],
    ['with a path of nothing but slashes', document({ role: `${role}${'/'.repeat(size)}*` })],
    ['with a partition of very many parts', document({ role: `arn:aws${'-a'.repeat(size)}!` })],
    [
      'with very many unclosed references',
      session({ policy: policyFor(`arn:${claimRef('a').slice(0, -1).repeat(size)}`) }),
    ],
    [
      'with very many unclosed variables',
      session({ policy: policyFor(`arn:${claimRef("a, '").slice(0, -1).repeat(size)}`) }),
    ],
    ['with a very long block', conditions({ sourceCidrs: [`${'1:'.repeat(size)}/8`] })],
    ['with a very long instant', conditions({ notBefore: '2026-01-01T00:00:00Z'.repeat(size) })],
    ['with a very long policy ARN', session({ policyArns: [`${policyArn('a/'.repeat(size))}*`] })],
  ])('is refused in bounded time: %s', (_case, hostile) => {
    expect(pointersOf(hostile)).not.toEqual([]);
  });

  it.each([17, 1_000, 9_000])('is refused before anything walks it, nested %d deep', (levels) => {
    expect(check(session({ policy: { Statement: nested(levels) } }))).toEqual({
      kind: 'invalid',
      faults: [{ pointer: '', detail: 'is nested too deeply' }],
    });
  });

  it('never makes a fault repeat what it says', () => {
    const canary = 'CANARY<script>';
    const result = check({
      ...document({
        [canary]: canary,
        effect: canary,
        role: canary,
        conditions: { notBefore: canary, [canary]: 1 },
      }),
      session: { name: canary, policy: { ...policyFor(claimRef(canary)), [canary]: canary } },
    });
    const details = result.kind === 'invalid' ? result.faults.map(({ detail }) => detail) : [];
    expect(details.length).toBeGreaterThan(4);
    expect(details.filter((detail) => detail.includes(canary))).toEqual([]);
    const unknownClaim = check(session({ policy: policyFor(`arn:${claimRef(canary)}`) }));
    expect(JSON.stringify(unknownClaim)).not.toContain(canary);
  });

  it('never makes the check throw, whatever it is', () => {
    const members = Object.keys(document({ conditions: {}, session: {} }));
    const anything = fc.anything({ withNullPrototype: true, withDate: true, maxDepth: 5 });
    const values = fc.oneof(anything, fc.jsonValue());
    const documents = fc.oneof(
      values,
      fc.dictionary(fc.constantFrom(...members), values).map((fields) => document(fields)),
      fc.record({ policy: values, name: values }).map((fields) => session(fields)),
      values.map((Statement) =>
        session({ policy: { Version: '2012-10-17', Statement: [Statement] } }),
      ),
      fc
        .record({ Action: values, Resource: values, Condition: values })
        .map((one) =>
          session({ policy: { ...policyFor('*'), Statement: [{ Effect: 'Allow', ...one }] } }),
        ),
    );
    fc.assert(
      fc.property(documents, (any) => {
        expect(['valid', 'invalid']).toContain(check(any).kind);
      }),
      runs(3000),
    );
  });
});

describe('what passes the check', () => {
  it('passes again after a trip through JSON, unchanged', () => {
    const first = check(session({ policy: policyFor(`arn:aws:s3:::x/${claimRef('sub')}`) }));
    expect(first.kind).toBe('valid');
    if (first.kind === 'valid') {
      expect(check(JSON.parse(JSON.stringify(first.mapping)))).toEqual(first);
    }
  });

  it('can be compiled, whatever address blocks it has', () => {
    const blocks = fc.oneof(
      fc.tuple(fc.ipV4(), fc.nat(32)),
      fc.tuple(fc.ipV6(), fc.nat(128)),
      fc.tuple(fc.stringMatching(/^[0-9a-fA-F:.%x/]{2,20}$/), fc.nat(140)),
    );
    fc.assert(
      fc.property(blocks, ([address, bits]) => {
        const result = check(conditions({ sourceCidrs: [`${address}/${bits}`] }));
        if (result.kind === 'invalid') return;
        const snapshot = compileSnapshot(1, [{ mapping: result.mapping, version: 1 }]);
        const [inside] = snapshot.byId.get('orders')?.checks ?? [];
        expect(inside?.holds({ caller: caller(), sourceIp: address, now: 0 })).toBe(true);
      }),
      runs(3000),
    );
  });

  it('keeps the pool of its principal', () => {
    const result = check(document({ principal: { pool: domainPool, client: caller().clientId } }));
    expect(result).toMatchObject({ mapping: { principal: { pool: domainPool } } });
  });
});
