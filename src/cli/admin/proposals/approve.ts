import { InvalidArgumentError } from 'commander';
import { exitCodes } from '../../output.ts';
import { noPaint } from '../../paint.ts';
import { editResult } from '../admin-answers.ts';
import { AdminApiError } from '../admin-api.ts';
import { adminCommand, UsageError } from '../admin-command.ts';
import { editAnswered, isAgreed, reasonOf } from '../edit.ts';
import { fetchProposal, proposalIdArgument, proposalLines } from './proposal.ts';

interface ApproveOptions {
  readonly reason: string;
  readonly hash?: string;
  readonly yes?: boolean;
}

/** What is shown is what is approved. Where nobody looks at it now, the digest says that somebody did. */
export const approveProposal = adminCommand<ApproveOptions>({
  name: 'approve',
  description: 'approve a proposal of somebody else, and make its change',
  configure(command) {
    command
      .argument('<id>', 'id of the proposal', proposalIdArgument)
      .requiredOption('--reason <text>', 'why: kept in the audit log')
      .option('--hash <sha256>', 'only what has this digest, as show prints it', digestArgument)
      .option('--yes', 'do not ask; needs --hash');
  },
  examples: [
    "token-broker proposals approve 019c1d5e7a00-0123456789abcdef --reason 'ORD-12: read and agreed'",
    "token-broker proposals approve 019c1d5e7a00-0123456789abcdef --yes --hash 5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9 --reason 'ORD-12'",
  ],
  async run({ api, args: [id = ''], options, terminal, note }) {
    const { hash, yes = false } = options;
    const reason = reasonOf(options);
    const read = `read token-broker proposals show ${id}, then add --yes --hash with the sha256 that it prints.`;
    if (yes && hash === undefined) throw new UsageError(`Nothing is approved unread: ${read}`);
    if (!yes && terminal.ask === undefined) {
      throw new UsageError(`Nobody is here to agree: ${read}`);
    }
    const { document, answer } = await fetchProposal(api, id);
    const { action, mappingId, sha256 } = answer;
    for (const line of proposalLines(answer, noPaint)) note(line);
    if (hash !== undefined && hash !== sha256) {
      throw new AdminApiError(
        'That is not what --hash names: nothing was approved. Read it again.',
      );
    }
    const what = `Approve exactly this (${action} ${mappingId})`;
    if (!yes && !(await isAgreed(what, { terminal, note }))) {
      return { document, text: () => '', code: exitCodes.failed };
    }
    const path = `/v1/proposals/${id}/approve` as const;
    const body = { sha256, reason };
    const done = await api.ask({ method: 'POST', path, body, answer: editResult });
    return editAnswered(done.document, done.answer);
  },
});

function digestArgument(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError('Use the 64 hex digits that token-broker proposals show prints.');
}
