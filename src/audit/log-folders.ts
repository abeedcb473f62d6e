/** The audit logs below a folder: those of replicas lie side by side, each in a folder of its own. */

import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { FileRefusedError } from '../kit/files/regular-file.ts';
import { isAuditFile } from './audit-files.ts';

export interface LogFolder {
  /** As whoever named the place knows it: relative to the current folder, or absolute. */
  readonly location: string;
}

const maxDepth = 16;

/**
 * A file is a log; a folder with files of a log is one, and so are those below it. In the order of their names.
 *
 * @throws FileRefusedError for a link that leads elsewhere, the error of the file system, which names the folder: what cannot be
 * looked into may hold a log.
 */
export async function findLogs(locations: readonly string[]): Promise<readonly LogFolder[]> {
  const found: Found = { logs: new Map(), folders: new Set(), links: [] };
  for (const location of locations) {
    if (!(await stat(location)).isDirectory()) found.logs.set(path.resolve(location), { location });
    else await lookInto(location, found, 0);
  }
  for (const link of found.links) await requireLookedInto(link, found);
  return [...found.logs.values()];
}

interface Found {
  readonly logs: Map<string, LogFolder>;
  /** All that was looked into, by its true path. */
  readonly folders: Set<string>;
  readonly links: string[];
}

async function lookInto(folder: string, found: Found, depth: number): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  found.folders.add(await realpath(folder));
  if (entries.some(({ name }) => isAuditFile(name))) {
    found.logs.set(path.resolve(folder), { location: folder });
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const place = path.join(folder, entry.name);
    if (entry.isSymbolicLink()) found.links.push(place);
    if (!entry.isDirectory()) continue;
    if (depth === maxDepth) {
      throw new FileRefusedError(
        'too_large',
        place,
        `lies deeper than ${maxDepth} folders: name it itself.`,
      );
    }
    await lookInto(place, found, depth + 1);
  }
}

/** Links are not followed: whoever may write there would choose what is taken for a log. Nor is what they lead to passed over. */
async function requireLookedInto(link: string, { folders }: Found): Promise<void> {
  const target = await realpath(link);
  if (!(await stat(target)).isDirectory() || folders.has(target)) return;
  throw new FileRefusedError(
    'link',
    link,
    'leads to a folder that nobody has named: name that one as well if a log is in it, or take the link away.',
  );
}
