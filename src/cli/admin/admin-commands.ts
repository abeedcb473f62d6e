/** The commands by the admin API, under the names of their groups; freezes stand at the top: they are looked for in a hurry. */

import type { Command } from 'commander';
import type { AddCommand, ProcessEdge } from '../edge.ts';
import { type AdminCommand, addAdminCommand } from './admin-command.ts';
import { explain } from './explain.ts';
import { freeze } from './freezes/freeze.ts';
import { listFreezes } from './freezes/list.ts';
import { unfreeze } from './freezes/unfreeze.ts';
import { diffMapping } from './mappings/diff.ts';
import { editMapping } from './mappings/edit.ts';
import { getMapping } from './mappings/get.ts';
import { historyOfMapping } from './mappings/history.ts';
import { listMappings } from './mappings/list.ts';
import { undoMapping } from './mappings/undo.ts';
import { whatCan } from './mappings/what-can.ts';
import { whoCan } from './mappings/who-can.ts';
import { approveProposal } from './proposals/approve.ts';
import { rejectProposal, withdrawProposal } from './proposals/close.ts';
import { listProposals } from './proposals/list.ts';
import { showProposal } from './proposals/show.ts';

export const mappingCommands: readonly AdminCommand[] = [
  listMappings,
  getMapping,
  historyOfMapping,
  diffMapping,
  editMapping,
  undoMapping,
  whoCan,
  whatCan,
];

export const proposalCommands: readonly AdminCommand[] = [
  listProposals,
  showProposal,
  approveProposal,
  rejectProposal,
  withdrawProposal,
];

export function addProposalCommands(program: Command, edge: ProcessEdge): void {
  const proposals = program
    .command('proposals')
    .description('decide on edits that wait for a second administrator (docs/commands.md)');
  for (const command of proposalCommands) addAdminCommand(proposals, command, edge);
}

/** Those of no group: each is a line of src/command-line.ts, too, or that does not compile. */
export const topCommands = { explain, freeze, unfreeze, freezes: listFreezes } as const;
export type TopCommand = keyof typeof topCommands;

export function adding(command: AdminCommand): AddCommand {
  return (program, edge) => addAdminCommand(program, command, edge);
}
