/** dynalite, which keeps the items: its operations, without the HTTP server that it comes with. */

import { type Dynalite, loadDynalite } from './dynalite-operations.ts';
import type { Members } from './dynamodb-wire.ts';

export interface Store {
  readonly dynalite: Dynalite;
  /** The answer to an operation of dynalite's; throws a DynamoDbError with any other than 200. Changes its input. */
  call(name: string, input: Members): Promise<Members>;
  /** Waits for what is running. */
  stop(): Promise<void>;
}

const instantTables = { createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 };

/** Opens dynalite in memory, or on the LevelDB folder `path`. */
export async function openStore(path: string | undefined): Promise<Store> {
  const dynalite = await loadDynalite();
  const items = dynalite.db.create(path === undefined ? instantTables : { ...instantTables, path });
  await items.db.open();
  return {
    dynalite,
    async call(name, input) {
      const operation = dynalite.operations.get(name);
      if (operation === undefined) throw new Error(`dynalite has no ${name}`);
      return operation.run(items, operation.check(input));
    },
    stop: () => items.lifecycleManager.gracefulClose(),
  };
}
