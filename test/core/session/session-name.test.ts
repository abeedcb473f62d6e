import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  checkSessionNameTemplate,
  renderSessionName,
} from '../../../src/core/session/session-name.ts';
import { type CallerParts, caller, machineCaller } from '../../support/domain.ts';
import { runs } from '../../support/fuzz-budget.ts';

/** AWS STS API reference, AssumeRoleWithWebIdentity: RoleSessionName, and ASCII only. */
const legal = /^[A-Za-z0-9_+=,.@-]{2,64}$/;

const render = (template: string, parts: CallerParts = {}, mappingId = 'orders-writer') =>
  renderSessionName(template, caller(parts), mappingId);
const asking = (template: string, requested: string | undefined, parts: CallerParts = {}) =>
  renderSessionName(template, caller(parts), 'orders-writer', requested);

const machineAsking = (template: string, requested: string | undefined) =>
  renderSessionName(template, machineCaller(), 'orders-writer', requested);

describe('a session name (T24)', () => {
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

describe('a session name that the caller may ask for (T24)', () => {
  const client = '4abc0exampleclientid';

  it.each([
    ['{requested}@{client}', 'deploy-42', `deploy-42@${client}`],
    ['{client}@{requested}', 'deploy-42', `${client}@deploy-42`],
    ['ci+{requested}@{client}', 'ada@example.com', `ci+ada@example.com@${client}`],
    ['{mapping}-{requested}@{client}', 'x', `orders-writer-x@${client}`],
  ])('of a machine, from %s and %s, is the text itself', (template, requested, name) => {
    expect(machineAsking(template, requested)).toBe(name);
  });

  it('has the id of the mapping where the caller asked for nothing', () => {
    expect(machineAsking('{requested}@{client}', undefined)).toBe(`orders-writer@${client}`);
  });

  it('is not what was asked for where the template has no place for that', () => {
    for (const template of ['{sub}', '{client}-{mapping}', 'fixed']) {
      expect(asking(template, 'deploy-42')).toBe(asking(template, undefined));
    }
  });

  it('is never expanded a second time', () => {
    expect(asking('{requested}@{client}', '{sub}')).toMatch(
      /^-sub-@4abc0exampleclientid-[0-9a-f]{16}$/,
    );
  });

  it('goes on saying who the caller is, however much was asked for', () => {
    const long = `other-client@${'x'.repeat(500)}`;
    expect(asking('{requested}@{client}', long)).toMatch(
      /^other-client@x*@4abc0exampleclientid-[0-9a-f]{16}$/,
    );
    expect(asking('{client}@{requested}', long)).toMatch(
      /^4abc0exampleclientid@other-client@x*-[0-9a-f]{16}$/,
    );
  });

  it.each([
    ['ends like an altered one', '{client}@{requested}', `a-${'0'.repeat(16)}`, {}],
    ['has another @ in the identity', '{requested}@{sub}', 'x', { subject: 'a@b' }],
    ['has another @ in the identity before it', '{sub}@{requested}', 'x', { subject: 'a@b' }],
  ])('gets a digest where it %s', (_case, template, requested, parts) => {
    expect(asking(template, requested, parts)).toMatch(/-[0-9a-f]{16}$/);
    expect(asking(template, requested, parts)).not.toBe(fixedUp(template, requested, parts));
  });
});

/** The template with everything in its place and nothing altered. */
function fixedUp(template: string, requested: string, { subject = '' }: CallerParts): string {
  return template
    .replace('{requested}', requested)
    .replace('{sub}', subject)
    .replace('{client}', '4abc0exampleclientid');
}

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

describe('for any identity and any template that passes the check (T24)', () => {
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

describe('for whatever callers ask for (T24)', () => {
  /** Few characters, of which many tell the parts of a name from each other. */
  const tricky = fc.oneof(
    fc.stringMatching(/^[ab@-]{0,4}$/),
    fc.stringMatching(/^[ab@:]{40,70}$/),
    fc.string({ maxLength: 100 }),
  );
  const asked = fc.oneof(
    fc.constant(undefined),
    tricky,
    // What another caller is known by, altered names among them.
    fc
      .tuple(tricky, identities)
      .map(([text, identity]) => asking('{requested}@{client}', text, identity)),
    fc
      .tuple(tricky, identities)
      .map(([text, identity]) => asking('{sub}@{requested}', text, identity)),
    fc.constantFrom(`a@b-${'0'.repeat(16)}`, `b-${'0'.repeat(16)}`),
  );
  const openTemplates = fc.constantFrom(
    '{requested}@{sub}',
    '{sub}@{requested}',
    'x{sub}@a@{requested}',
    '{requested}@a@{sub}',
    '{mapping}@{requested}@{sub}-',
  );
  const subjects = fc.oneof(tricky, fc.constantFrom('a', 'b', 'a@b', 'a-b', 'b@a'));

  it('the name is legal for STS, and the same each time', () => {
    fc.assert(
      fc.property(openTemplates, subjects, asked, (template, subject, requested) => {
        expect(checkSessionNameTemplate(template)).toBeUndefined();
        const name = asking(template, requested, { subject });
        expect(name).toMatch(legal);
        expect(asking(template, requested, { subject })).toBe(name);
      }),
      runs(2000),
    );
  });

  it('two callers never share a name, not even one who asks for the name of the other', () => {
    fc.assert(
      fc.property(openTemplates, subjects, subjects, asked, asked, (template, one, two, a, b) => {
        fc.pre(one !== two);
        const first = asking(template, a, { subject: one });
        for (const requested of [b, first, a]) {
          expect(asking(template, requested, { subject: two })).not.toBe(first);
        }
      }),
      runs(5000),
    );
  });

  it('two users of one app client never share a name where the app client is all that it says', () => {
    const byClient = fc.constantFrom('{requested}@{client}', '{client}@{requested}');
    fc.assert(
      fc.property(byClient, subjects, subjects, asked, asked, (template, one, two, a, b) => {
        fc.pre(one !== two);
        const first = asking(template, a, { subject: one });
        for (const requested of [b, first, a]) {
          expect(asking(template, requested, { subject: two })).not.toBe(first);
        }
      }),
      runs(2000),
    );
  });

  it('two callers never share a name by taking apart that of the other', () => {
    fc.assert(
      fc.property(openTemplates, subjects, subjects, asked, (template, one, two, requested) => {
        fc.pre(one !== two);
        const victim = asking(template, requested, { subject: one });
        for (let from = 0; from <= victim.length; from++) {
          for (const part of [victim.slice(0, from), victim.slice(from)]) {
            expect(asking(template, part, { subject: two })).not.toBe(victim);
          }
        }
      }),
      runs(300),
    );
  });
});

describe('a template', () => {
  it.each([
    '{sub}',
    '{client}-{mapping}',
    'a',
    `${'a'.repeat(47)}{sub}`,
    'A-Z_0+9=,.@',
    '{requested}@{sub}',
    '{sub}@{requested}',
    '{client}@{requested}@{sub}',
    '{mapping}-{requested}@{client}',
  ])('passes: %s', (template) => {
    expect(checkSessionNameTemplate(template)).toBeUndefined();
  });

  it.each([
    ['{requested}', 'must have {sub} or {client}'],
    ['{requested}@{mapping}', 'must have {sub} or {client}'],
    ['x-{requested}-y', 'must have {sub} or {client}'],
    ['{requested}{sub}', 'must have @ between'],
    ['{requested}-{sub}', 'must have @ between'],
    ['{requested}-@{sub}', 'must have @ between'],
    ['{sub}{requested}', 'must have @ between'],
    ['{client}@{requested}{sub}', 'must have @ between'],
    ['{client}-{requested}@{sub}', 'must have @ between'],
    ['{requested}@{requested}@{sub}', 'may have {requested} only once'],
  ])('is refused, because callers could take the name of others: %s', (template, fault) => {
    expect(checkSessionNameTemplate(template)).toContain(fault);
  });

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
