import type { PolicyTable } from '../../src/dynamodb/policy-steps.ts';

/** Asks the table that is there at the moment, but for what is given instead. */
export function forwardingTable(
  to: () => PolicyTable,
  instead: Partial<PolicyTable> = {},
): PolicyTable {
  return {
    place: () => to().place(),
    newest: () => to().newest(),
    writeIdOf: (revision) => to().writeIdOf(revision),
    loadAll: (options) => to().loadAll(options),
    changesSince: (since, options) => to().changesSince(since, options),
    loggedRows: (range) => to().loggedRows(range),
    ...instead,
  };
}
