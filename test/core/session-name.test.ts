import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkSessionNameTemplate, renderSessionName } from '../../src/core/session-name.ts';
import { type CallerParts, caller } from '../support/domain.ts';
import { runs } from '../support/fuzz-budget.ts';

/** AWS STS API reference, AssumeRoleWithWebIdentity: RoleSessionName, and ASCII only. */
const legal = /^[A-Za-z0-9_+=,.@-]{2,64}$/;

const render = (template: string, parts: CallerParts = {}, mappingId = 'orders-writer') =>
  renderSessionName(template, caller(parts), mappingId);

describe('a session name', () => {
  it.each([
    ['{sub}', '7d8e2a5c-1111-4222-8333-944445555666'],
    ['{client}', '4abc0exampleclientid'],
    ['{mapping}', 'orders-writer'],
    ['{mapping}@{client}', 'orders-writer@4abc0exampleclientid'],
    ['fixed', 'fixed'],
  ])('from %s is the text itself where that is legal', (template, name) => {
    expect(render(template)).toBe(name);
  });

  it.each<[string, CallerParts]>([
    ['illegal characters', { subject: 'us-east-1:0a1b2c3d' }],
    ['spaces', { subject: 'Ada Lovelace' }],
    ['letters beyond ASCII', { subject: 'ädä' }],
    ['too many characters', { subject: 'a'.repeat(65) }],
    ['too few characters', { subject: 'a' }],
    ['line feeds', { subject: 'ada\n' }],
  ])('gets a digest where the text has %s', (_case, parts) => {
    expect(render('{sub}', parts)).toMatch(/^[A-Za-z0-9_+=,.@-]{0,47}-[0-9a-f]{16}$/);
  });

  it('stands for the identity pool where there is no app client', () => {
    const parts = { clientId: undefined, pool: 'us-east-1:0a1b2c3d-1111-4222-8333-944445555666' };
    expect(render('{client}', parts)).toMatch(/^us-east-1-0a1b2c3d-.*-[0-9a-f]{16}$/);
  });

  it('of two issuers differs even where text and subject are the same', () => {
    const subject = 'Ada Lovelace';
    const one = render('{sub}', { subject, issuer: 'https://one.example' });
    expect(render('{sub}', { subject, issuer: 'https://two.example' })).not.toBe(one);
  });
});

const identities = fc.record({
  subject: fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 255 }),
    fc.stringMatching(/^[a:/ ]{1,5}$/),
    fc.stringMatching(/^a{60,70}[:b]{0,2}$/),
  ),
  clientId: fc.option(fc.stringMatching(/^[a-z :]{1,4}$/), { nil: undefined }),
  issuer: fc.constantFrom('https://one.example', 'https://two.example'),
});
const templates = fc
  .array(fc.constantFrom('{sub}', '{client}', '{mapping}', '-', 'x', '@', 'prefix='), {
    minLength: 1,
    maxLength: 6,
  })
  .map((parts) => parts.join(''))
  .filter((template) => checkSessionNameTemplate(template) === undefined);

describe('for any identity and any template that passes the check', () => {
  it('the name is legal for STS, and the same each time', () => {
    fc.assert(
      fc.property(templates, identities, (template, identity) => {
        const name = render(template, identity);
        expect(name).toMatch(legal);
        expect(render(template, identity)).toBe(name);
      }),
      runs(1000),
    );
  });

  it('two identities never share a name because characters were replaced or cut', () => {
    fc.assert(
      fc.property(templates, identities, identities, (template, one, two) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(two));
        const [first, second] = [render(template, one), render(template, two)];
        const altered = [first, second].every((name) => /-[0-9a-f]{16}$/.test(name));
        if (altered) expect(first).not.toBe(second);
      }),
      runs(2000),
    );
  });
});

describe('a template', () => {
  it.each(['{sub}', '{client}-{mapping}', 'a', `${'a'.repeat(47)}{sub}`, 'A-Z_0+9=,.@'])(
    'passes: %s',
    (template) => {
      expect(checkSessionNameTemplate(template)).toBeUndefined();
    },
  );

  it.each([
    '{username}',
    '{constructor}',
    '{Sub}',
    '{sub',
    'sub}',
    '{}',
    '{{sub}}',
    '{claim:sub}',
    'a b',
    'a/b',
    'a:b',
    'ä',
    'a\n',
    'a'.repeat(48),
  ])('is refused: %j', (template) => {
    expect(checkSessionNameTemplate(template)).toMatch(/^(?:knows only|may only|leaves no)/);
  });
});
