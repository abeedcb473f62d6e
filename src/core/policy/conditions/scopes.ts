import { z } from 'zod';
import { asciiName } from '../../exact-text.ts';
import { requestCondition } from './condition.ts';

export const scopes = requestCondition({
  schema: z.array(asciiName).min(1).max(50),
  description: 'The token has all of them. For allows only: callers may leave out any scope.',
  reason: 'scope_missing',
  reasonMeaning: 'the token lacks a scope of the mapping',
  onDeny: {
    kind: 'refused',
    detail:
      'is for allows: callers may leave out any scope, and would slip past the deny; name whom it is for in another way',
  },
  narrows: (from, to) => from.every((scope) => to.includes(scope)),
  compile(wanted) {
    return [
      {
        pointer: '',
        holds: ({ caller }) => wanted.every((scope) => caller.scopes.has(scope)),
        expected: wanted,
        actual: ({ caller }) => [...caller.scopes],
      },
    ];
  },
});
