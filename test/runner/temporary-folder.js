/**
 * A temporary folder for one test file, where it and what it starts find theirs. It goes with all that is in it: what each run left there would
 * fill the disk of whoever tests.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function ownTemporaryFolder() {
  const { TMPDIR: before } = process.env;
  // A short name: paths of sockets have a limit.
  const folder = mkdtempSync(join(tmpdir(), 'tb-'));
  process.env.TMPDIR = folder;
  return {
    remove() {
      rmSync(folder, { recursive: true, force: true });
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
    },
  };
}
