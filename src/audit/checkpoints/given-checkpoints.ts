/** Checkpoints as somebody kept them, read as evidence: each must be signed by the key that was given. */

import type { KeyObject } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { readGivenFile } from '../../kit/files/given-file.ts';
import { maxKeyBytes, parsePublicKey, UnfitKeyError } from '../../signing/signing-key.ts';
import { type Checkpoint, readCheckpoint } from './checkpoint.ts';
import { isSignedBy, maxNoteBytes, parseNote } from './signed-note.ts';

export interface GivenCheckpoint {
  readonly file: string;
  readonly checkpoint: Checkpoint;
}

/** The message says which file, and why it says nothing about any log. */
export class CheckpointFileError extends Error {
  override readonly name = 'CheckpointFileError';
}

/**
 * @param location a checkpoint, or a folder with any number of them (`checkpoint-….txt`)
 * @param keyFile public key in PEM form
 * @throws CheckpointFileError, or the error of the file system
 */
export async function readCheckpoints(
  location: string,
  keyFile: string,
): Promise<readonly GivenCheckpoint[]> {
  const publicKey = publicKeyOf(await readGivenFile(keyFile, maxKeyBytes));
  const files = (await stat(location)).isDirectory() ? await notesIn(location) : [location];
  if (files.length === 0) {
    throw new CheckpointFileError('There is no checkpoint (checkpoint-….txt) in that folder.');
  }
  const given: GivenCheckpoint[] = [];
  for (const file of files) {
    const note = (await readGivenFile(file, maxNoteBytes)).toString();
    given.push({ file: path.basename(file), checkpoint: parseGiven(file, note, publicKey) });
  }
  return given;
}

async function notesIn(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder)).filter((name) => /^checkpoint-.*\.txt$/.test(name));
  return names.sort().map((name) => path.join(folder, name));
}

function parseGiven(file: string, text: string, publicKey: KeyObject): Checkpoint {
  const note = parseNote(text);
  const checkpoint = note && readCheckpoint(note);
  if (note === undefined || checkpoint === undefined) {
    throw new CheckpointFileError(`${file} is no checkpoint of an audit log.`);
  }
  if (!isSignedBy(note, publicKey)) {
    throw new CheckpointFileError(
      `${file} is not signed by that key: it was changed, is another log's, or the key is another.`,
    );
  }
  return checkpoint;
}

function publicKeyOf(pem: Buffer): KeyObject {
  try {
    return parsePublicKey(pem);
  } catch (error) {
    if (error instanceof UnfitKeyError) throw new CheckpointFileError(`${error.message}.`);
    throw error;
  }
}
