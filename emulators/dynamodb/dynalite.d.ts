/** The parts of dynalite 4.0.0 that the local DynamoDB uses; the package has no types of its own. */

declare module 'dynalite' {
  import type { Server } from 'node:http';

  function dynalite(options: {
    readonly createTableMs: number;
    readonly deleteTableMs: number;
    readonly updateTableMs: number;
    /** LevelDB folder; in memory without. */
    readonly path?: string;
  }): Server;
  export = dynalite;
}

declare module 'dynalite/db/index.js' {
  type Item = Record<string, unknown>;
  type Fault = Error & { readonly body: { readonly __type: string; readonly message: string } };

  const db: {
    readonly MAX_SIZE: number;
    createKey(item: Item, table: object): string;
    itemSize(item: Item): number;
    validateItem(item: Item, table: object): Fault | null | undefined;
    validateKey(key: Item, table: object): Fault | null | undefined;
  };
  export = db;
}

declare module 'dynalite/validations/index.js' {
  const validations: {
    /** Throws; removes members it does not know from `input`. */
    checkTypes(input: object, types: object): Record<string, unknown>;
    /** Throws; adds the parsed expressions to `input`. */
    checkValidations(
      input: object,
      types: object,
      custom: object,
      store: { readonly options: { readonly maxItemSize: number } },
    ): void;
  };
  export = validations;
}

declare module 'dynalite/validations/*Item.js' {
  const validation: { readonly types: object; readonly custom: object };
  export = validation;
}

declare module 'dynalite/actions/*Item.js' {
  function action(
    store: object,
    input: object,
    callback: (
      error?: Error & { readonly body?: { readonly __type: string; readonly message: string } },
    ) => void,
  ): void;
  export = action;
}
