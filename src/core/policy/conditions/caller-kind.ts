import { z } from 'zod';
import { requestCondition } from './condition.ts';

/** A person who signs in through an app client holds that client's id, too: this tells them apart. */
export const callerKind = requestCondition({
  schema: z.enum(['machine', 'person'], { error: 'must be machine or person' }),
  description:
    '`machine`: the token is that of an app client itself, by the client-credentials grant. `person`: it is any other one.',
  reason: 'caller_kind',
  reasonMeaning:
    'the mapping is for machines and the token that of a person, or the other way round',
  onDeny: { kind: 'sees_everybody' },
  narrows: (from, to) => from === to,
  compile(kind) {
    return [
      {
        pointer: '',
        holds: ({ caller }) => kindOf(caller) === kind,
        expected: kind,
        actual: ({ caller }) => kindOf(caller),
      },
    ];
  },
});

function kindOf({ machine }: { readonly machine: boolean }) {
  return machine ? 'machine' : 'person';
}
