/** The audit logs below a folder: those of replicas lie side by side, each in a folder of its own. */

import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { isAuditFile } from './audit-files.ts';

export interface LogFolder {
  /** As whoever named the place knows it: relative to the current folder, or absolute. */
  readonly location: string;
}

const maxDepth = 16;

/**
 * A file is a log; a folder with files of a log is one, and so are those below it. In the order of their names.
 *
 * @throws the error of the file system, which names the folder: what cannot be looked into may hold a log.
 */
export async function findLogs(locations: readonly string[]): Promise<readonly LogFolder[]> {
  const found = new Map<string, LogFolder>();
  for (const location of locations) {
    if (!(await stat(location)).isDirectory()) found.set(path.resolve(location), { location });
    else await lookInto(location, found, 0);
  }
  return [...found.values()];
}

async function lookInto(
  folder: string,
  found: Map<string, LogFolder>,
  depth: number,
): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  if (entries.some(({ name }) => isAuditFile(name))) {
    found.set(path.resolve(folder), { location: folder });
  }
  if (depth === maxDepth) return;
  const below = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  for (const name of below.sort()) await lookInto(path.join(folder, name), found, depth + 1);
}
