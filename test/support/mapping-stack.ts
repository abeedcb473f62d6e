/** The tables and the folders of role mappings that the tests of a file make. */

import { afterAll, beforeAll } from '@jest/globals';
import {
  type Folders,
  type MappingStack,
  startMappingStack,
  temporaryFolders,
} from './mapping-folder.ts';

export interface FileStack extends Omit<MappingStack, 'stop'> {
  /** Also before the first test. */
  readonly folders: Folders;
}

/** To be called once, at the top of a file. */
export function mappingStack(): FileStack {
  const folders = temporaryFolders();
  let stack: MappingStack;
  beforeAll(async () => {
    stack = await startMappingStack();
  });
  afterAll(async () => {
    await stack.stop();
    folders.remove();
  });
  return {
    folders,
    get server() {
      return stack.server;
    },
    newTable: () => stack.newTable(),
  };
}
