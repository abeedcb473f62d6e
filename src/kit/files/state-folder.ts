import { lstatSync, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { makeFolder, makeFolderSync } from './make-folder.ts';
import { FileRefusedError } from './regular-file.ts';
import { ownUser } from './state-file.ts';

/**
 * Makes the folder, mode 0700, if it is not there. It counts only if nobody else decides what the names in it
 * stand for: it belongs to this process's user or to root, and others may not write to it unless it is sticky,
 * as /tmp is. Its group may, as Kubernetes wants it for volumes: each file in it is looked at besides.
 *
 * @throws FileRefusedError, or the error of the file system
 */
export async function requireStateFolder(path: string): Promise<void> {
  await makeFolder(path, 0o700);
  // Service managers put a link where state belongs: what counts is where it leads.
  requireOurs(path, await stat(path), (facts) => {
    const { uid, mode } = facts;
    if (uid !== ownUser() && uid !== 0) return belongsTo(uid);
    return (mode & 0o002) !== 0 && (mode & 0o1000) === 0
      ? 'may be written to by everybody: make it 0700, or name a folder in it that is not there yet.'
      : undefined;
  });
}

/**
 * The same for a folder of secrets: it is no link, it belongs to this process's user, and nobody else can even
 * look into it.
 *
 * @throws FileRefusedError, or the error of the file system
 */
export function requireSecretFolderSync(path: string): void {
  makeFolderSync(path, 0o700);
  requireOurs(path, lstatSync(path), ({ uid, mode }) => {
    if (uid !== ownUser()) return belongsTo(uid);
    return (mode & 0o077) === 0 ? undefined : 'is open to other users: make it 0700.';
  });
}

function requireOurs(
  path: string,
  facts: Stats,
  faultOf: (facts: Stats) => string | undefined,
): void {
  if (!facts.isDirectory()) throw new FileRefusedError('not_regular', path, 'is not a folder.');
  if (ownUser() === undefined) return;
  const fault = faultOf(facts);
  if (fault !== undefined) throw new FileRefusedError('open_to_others', path, fault);
}

function belongsTo(uid: number): string {
  return `belongs to user ${uid}, and this process is user ${ownUser()}: name a folder of its own.`;
}
