/** What `policy.seal.anchor` is set to, as configuration has it. */

import { stringify } from 'yaml';
import type { Config } from '../config/schema.ts';
import { type AnchorFound, readAnchor, unprovenSeal } from '../dynamodb/seal-anchor.ts';
import { loadWithProgress, withMappingTable } from './mapping-table.ts';
import { exitCodes, type Output, refuse } from './output.ts';
import type { Terminal } from './terminal.ts';

export interface AnchorOptions {
  readonly terminal: Terminal;
  /** Whoever calls has looked: the log is taken as it stands, whether it is sealed or not. */
  readonly unsealed: boolean;
}

export async function printAnchor(
  config: Config,
  output: Output,
  { terminal, unsealed }: AnchorOptions,
): Promise<number> {
  return await withMappingTable(config, async (table, seal) => {
    const { table: tableName, seal: settings } = config.policy;
    await seal?.loaded();
    const check = unsealed ? unprovenSeal(settings?.name ?? tableName) : seal;
    const found: AnchorFound =
      check === undefined
        ? { kind: 'unproven' }
        : await readAnchor(table, await loadWithProgress(table, terminal), check);
    if (found.kind !== 'found') {
      return refuse(output, reasonOf(found));
    }
    const { anchor, mappings } = found;
    output.err(`${tableName}: ${mappings} role mappings. ${unsealed ? lookedAt : proven}\n`);
    const { revision, digest: chain } = anchor;
    output.out(stringify({ policy: { seal: { anchor: { revision, chain } } } }));
    return exitCodes.ok;
  });
}

function reasonOf(found: Exclude<AnchorFound, { readonly kind: 'found' }>): string {
  switch (found.kind) {
    case 'empty':
      return 'The table is empty: it needs no anchor.';
    case 'gap':
      return 'The change log does not lead from its beginning to the table as it is. docs/table.md says how to repair it.';
    case 'unproven':
      return 'The change log is not sealed as policy.seal says, so nobody vouches for it. Where seals are to begin now, look at what the table grants (token-broker mappings export) and whether a broker raises an alarm, then add --unsealed: what is in the log is taken for true from then on.';
    case 'unexplained':
      return `Rows of the table are not what its change log says of them: ${found.ids.join(', ')}. docs/operations.md (TokenBrokerTableTampered) says what to do.`;
  }
}

const proven = 'Its change log is sealed as policy.seal says.';
const lookedAt = 'Nobody but you vouches for what is in its change log.';
