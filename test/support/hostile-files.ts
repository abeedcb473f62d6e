/** What somebody else may have put in the place of a file. The content stays that of the file, where there is one. */

import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';

export type Swap = (file: string) => void;

export const isSuperuser = process.getuid?.() === 0;

/** Whoever is no superuser cannot give files away, and then there is one case less. */
export const foreignOwner: readonly (readonly [string, Swap])[] = isSuperuser
  ? [["somebody else's", (file) => chownSync(file, 65_534, 65_534)]]
  : [];

export const hostileFiles: readonly (readonly [string, Swap])[] = [
  ...foreignOwner,
  ['writable by everybody', (file) => chmodSync(file, 0o606)],
  ['writable by a group', (file) => chmodSync(file, 0o660)],
  [
    'a link to such a file',
    (file) => {
      // Beside it, so that it goes with its folder.
      const elsewhere = join(dirname(file), `elsewhere-${randomUUID()}`);
      renameSync(file, elsewhere);
      symlinkSync(elsewhere, file);
    },
  ],
  ['a pipe', (file) => makePipe(file)],
  [
    'a folder',
    (file) => {
      rmSync(file);
      mkdirSync(file);
    },
  ],
];

/** Whoever opens it as usual waits until somebody comes to the other end. */
export function makePipe(file: string): void {
  rmSync(file, { force: true });
  execFileSync('mkfifo', ['-m', '600', file]);
}
