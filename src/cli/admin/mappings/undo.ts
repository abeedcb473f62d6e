import { exitCodes } from '../../output.ts';
import { adminCommand, mappingIdArgument, versionNumber } from '../admin-command.ts';
import { addEditOptions, carryOut, type EditOptions, editExitCodes, flag } from '../edit.ts';
import { documentOf, newestAnd } from './versions.ts';

interface UndoOptions extends EditOptions {
  readonly to?: number;
  readonly override?: boolean;
}

/** History is never cut: undoing writes the earlier document again, as a version of its own. */
export const undoMapping = adminCommand<UndoOptions>({
  name: 'undo',
  description:
    'put back what a role mapping said before its last change; undoing its creation deletes it',
  configure(command) {
    addEditOptions(
      command
        .argument('<id>', 'id of the role mapping', mappingIdArgument)
        .option('--to <number>', 'what this version said; default: the one before', versionNumber)
        .option('--override', 'although the mapping is managed from Git, which will say otherwise'),
    );
  },
  examples: [
    "token-broker mappings undo orders-writer --reason 'INC-1234: too wide' --yes",
    "token-broker mappings undo orders-writer --to 1 --reason 'INC-1234' --dry-run",
  ],
  exitCodes: editExitCodes,
  async run(question) {
    const {
      api,
      args: [id = ''],
      options,
    } = question;
    const { newest, other } = await newestAnd(api, id, options.to);
    const now = documentOf(newest);
    const then = documentOf(other);
    if (now === undefined && then === undefined) {
      question.note(`${id} is deleted, and so it was before: name a version with --to.`);
      return { document: null, text: () => '', code: exitCodes.failed };
    }
    const base: Readonly<Record<string, string>> =
      now === undefined ? { 'if-none-match': '*' } : { 'if-match': `"${newest.version}"` };
    const change =
      then === undefined
        ? ({ method: 'DELETE' } as const)
        : ({ method: 'PUT', body: then } as const);
    const words =
      then === undefined ? `Delete ${id}` : `Take ${id} back to version ${other?.version}`;
    if (then === undefined) {
      const when =
        other === undefined ? `Before version ${newest.version}` : `In version ${other.version}`;
      question.note(`${when} there was no role mapping ${id}: to undo that is a deletion.`);
    }
    const query = { override: flag(options.override) };
    const path = `/v1/role-mappings/${id}` as const;
    return carryOut({ what: words, path, headers: base, query, ...change }, question);
  },
});
