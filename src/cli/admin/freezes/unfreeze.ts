import { InvalidArgumentError } from 'commander';
import { isFreezeId } from '../../../core/policy/freeze.ts';
import { adminCommand } from '../admin-command.ts';
import { addEditOptions, carryOut, type EditOptions, editExitCodes } from '../edit.ts';

export const unfreeze = adminCommand<EditOptions>({
  name: 'unfreeze',
  description: 'lift a freeze; needs the scope for editing',
  configure(command) {
    addEditOptions(command.argument('<id>', 'id of the freeze', freezeIdArgument));
  },
  examples: [
    "token-broker unfreeze freeze-372a0784e6d9bf5cdf2bd22d --reason 'INC-1234: secret rotated' --yes",
  ],
  exitCodes: editExitCodes,
  run(question) {
    const [id = ''] = question.args;
    const path = `/v1/freezes/${id}` as const;
    return carryOut({ what: `Lift the freeze ${id}`, method: 'DELETE', path }, question);
  },
});

function freezeIdArgument(text: string): string {
  if (isFreezeId(text)) return text;
  throw new InvalidArgumentError('token-broker freezes lists the ids of freezes.');
}
