import { describe, expect, it } from '@jest/globals';
import { rememberedDenials } from '../../src/core/denials.ts';
import { problemOf, problemText } from '../../src/http/problem-document.ts';

const help = { owners: [{ owner: 'a', contact: '#a', roles: ['a-*'] }] };

describe('remembered denials', () => {
  it('are told apart by role and reason, and nobody can change them', () => {
    const denialOf = rememberedDenials(help);
    const denials = new Set(
      ['a-1', 'b-1', undefined].flatMap((role) => [
        denialOf(role, 'no_mapping'),
        denialOf(role, 'explicit_deny'),
        denialOf(role, 'no_mapping'),
      ]),
    );
    expect(denials.size).toBe(6);
    for (const denial of denials) expect(Object.isFrozen(denial)).toBe(true);
    expect(denialOf('a-1', 'scope_missing')).toMatchObject({
      code: 'access_denied',
      reason: 'scope_missing',
      detail: expect.stringContaining('#a'),
    });
    expect(denialOf('b-1', 'scope_missing').detail).not.toContain('#a');
  });

  it('are forgotten where callers think of ever new roles', () => {
    const denialOf = rememberedDenials(help);
    const first = denialOf('role-0', 'no_mapping');
    for (let at = 1; at <= 1_000; at += 1) denialOf(`role-${at}`, 'no_mapping');
    const again = denialOf('role-0', 'no_mapping');
    expect(again).not.toBe(first);
    expect(again).toEqual(first);
  });

  it('are printed as any other error is', () => {
    const denial = rememberedDenials(help)(undefined, 'no_mapping');
    for (const id of ['00000000-0000-4000-8000-000000000001', '', 'another']) {
      expect(problemText(denial, id)).toBe(JSON.stringify(problemOf(denial, id)));
    }
  });
});
