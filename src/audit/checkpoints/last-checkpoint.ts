/** The last checkpoint of each chain, beside the log. */

import path from 'node:path';
import { replaceFile } from '../../kit/files/replace-file.ts';
import { readStateFile } from '../../kit/files/state-file.ts';
import { maxNoteBytes, parseNote, type SignedNote } from './signed-note.ts';

class NoCheckpointError extends Error {
  override readonly name = 'NoCheckpointError';
  readonly code = 'ENOCHECKPOINT';
}

/** @throws the error of the file system */
export async function writeLastCheckpoint(
  directory: string,
  chain: string,
  note: string,
): Promise<void> {
  await replaceFile(fileOf(directory, chain), note);
}

/** @throws NoCheckpointError for what is no signed note, FileRefusedError, or the error of the file system */
export async function readLastCheckpoint(
  directory: string,
  chain: string,
): Promise<SignedNote | undefined> {
  const bytes = await readStateFile(fileOf(directory, chain), { maxBytes: maxNoteBytes });
  if (bytes === undefined) return undefined;
  const note = parseNote(bytes.toString());
  if (note === undefined) throw new NoCheckpointError('the file holds no checkpoint');
  return note;
}

function fileOf(directory: string, chain: string): string {
  return path.join(directory, `checkpoint-${chain}.txt`);
}
