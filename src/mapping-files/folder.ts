/** The YAML files of a folder and of the folders in it: `*.test.yaml` apart from the others. */

import { type Dirent, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { errorCodeOf } from '../kit/files/error-code.ts';
import { readGivenFileSync } from '../kit/files/given-file.ts';
import { FileRefusedError } from '../kit/files/regular-file.ts';
import { fileFault, type SourceFault } from '../kit/yaml/source-fault.ts';
import type { SourceFile } from '../kit/yaml/yaml-documents.ts';

export interface FolderContents {
  readonly mappingFiles: readonly SourceFile[];
  readonly testFiles: readonly SourceFile[];
  /** What cannot be read: nothing may be concluded from files that are missing then. */
  readonly faults: readonly SourceFault[];
}

const maxFileBytes = 256 * 1024;
/** One for each mapping of the largest policy there may be, with tests. */
const maxFiles = 120_000;
const maxFolderDepth = 16;

/**
 * In the order of their paths. Names that begin with a dot are left out. A file stands for a folder that holds it alone.
 * Links are followed within the folder, as a volume of Kubernetes has them, and never out of it (T320).
 */
export function readFolder(directory: string): FolderContents {
  const mappingFiles: SourceFile[] = [];
  const testFiles: SourceFile[] = [];
  const faults: SourceFault[] = [];
  for (const found of sources(directory)) {
    if ('detail' in found) {
      faults.push(fileFault(found.path, found.detail));
    } else {
      (isTestFile(found.path) ? testFiles : mappingFiles).push(found);
    }
    if (mappingFiles.length + testFiles.length + faults.length <= maxFiles) continue;
    faults.push(fileFault(directory, `holds more than ${maxFiles} files`));
    break;
  }
  return { mappingFiles, testFiles, faults };
}

function isTestFile(path: string): boolean {
  return /\.test\.ya?ml$/i.test(path);
}

export interface UnreadableFile {
  readonly path: string;
  readonly detail: string;
}

function* sources(named: string): Generator<SourceFile | UnreadableFile> {
  const detail = wrongLink(named);
  if (detail !== undefined) yield { path: named, detail };
  else if (statSync(named, { throwIfNoEntry: false })?.isFile() === true) yield readSource(named);
  else yield* files(named);
}

/**
 * CI names a path, and a pull request says what is there: a link leads to no file but of the folder that it is in, and by no name
 * that begins with one dot, where people and machines keep what they sign in with (T377).
 */
function wrongLink(named: string): string | undefined {
  // Not as it was named: with a slash behind it, nobody would see that it is a link.
  const path = resolve(named);
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return undefined;
  let way: string;
  try {
    const real = realpathSync(path);
    way = relative(realpathSync(dirname(path)), real);
    if (statSync(real).isFile() && way.split(sep)[0] === '..') return ledAway;
  } catch (error) {
    return cannotBeRead(error);
  }
  return hasHiddenName(way) ? ledAway : undefined;
}

const ledAway = 'links to what is no file of this folder, and is not followed';

function* files(directory: string): Generator<SourceFile | UnreadableFile> {
  let root: string;
  try {
    root = realpathSync(directory);
  } catch (error) {
    yield { path: directory, detail: cannotBeRead(error) };
    return;
  }
  yield* walk({ directory, root, depth: 0 });
}

interface Walked {
  readonly directory: string;
  /** Without links: the folder that was named, of which all must be. */
  readonly root: string;
  readonly depth: number;
}

function* walk({ directory, root, depth }: Walked): Generator<SourceFile | UnreadableFile> {
  if (depth > maxFolderDepth) {
    yield { path: directory, detail: 'is too many folders deep' };
    return;
  }
  let entries: Dirent[];
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    yield { path: directory, detail: cannotBeRead(error) };
    return;
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries.filter(({ name }) => !name.startsWith('.'))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* walk({ directory: path, root, depth: depth + 1 });
    else if (/\.ya?ml$/i.test(entry.name)) yield readWithin(root, entry, path);
    // A folder behind a link would be left out without a word, and its mappings with it.
    else if (isLinkToFolder(entry, path))
      yield { path, detail: 'links to folders are not followed' };
  }
}

/** What is said of a file may quote it: a pull request has nothing quoted of the machine that looks at it. */
function readWithin(root: string, entry: Dirent, path: string): SourceFile | UnreadableFile {
  if (!entry.isSymbolicLink()) return readSource(path);
  let real: string;
  try {
    real = realpathSync(path);
  } catch (error) {
    return { path, detail: cannotBeRead(error) };
  }
  if (!isOfFolder(relative(root, real))) {
    return { path, detail: ledAway };
  }
  return { ...readSource(real), path };
}

/** `..data` is a folder of a volume of Kubernetes; `.git` may hold what CI signs in with. */
function isOfFolder(target: string): boolean {
  return target.split(sep)[0] !== '..' && !hasHiddenName(target);
}

function hasHiddenName(path: string): boolean {
  return path.split(sep).some((part) => /^\.(?!\.)/.test(part));
}

function isLinkToFolder(entry: Dirent, path: string): boolean {
  if (!entry.isSymbolicLink()) return false;
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function readSource(path: string): SourceFile | UnreadableFile {
  let bytes: Buffer;
  try {
    bytes = readGivenFileSync(path, maxFileBytes);
  } catch (error) {
    return { path, detail: cannotBeRead(error) };
  }
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return { path, detail: 'is not valid UTF-8' };
  }
  return text.startsWith('\ufeff')
    ? { path, detail: 'starts with a byte order mark: save it as UTF-8 without one' }
    : { path, text };
}

function cannotBeRead(error: unknown): string {
  if (error instanceof FileRefusedError) {
    return error.fault === 'too_large'
      ? `is larger than ${maxFileBytes} bytes`
      : 'is not a regular file';
  }
  return `cannot be read (${errorCodeOf(error)})`;
}
