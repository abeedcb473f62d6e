/** Signed notes (https://c2sp.org/signed-note), as far as checkpoints need them: one signature, Ed25519 or ECDSA P-256. */

import { hash, type KeyObject } from 'node:crypto';
import { isSignature, kindOf } from '../../signing/signing-key.ts';

export interface SignedNote {
  /** With its final line feed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

export interface NoteSignature {
  readonly keyName: string;
  readonly keyId: Buffer;
  readonly signature: Buffer;
}

/** Far more than any checkpoint with the signatures of sixteen witnesses has. */
export const maxNoteBytes = 128 * 1024;

export function formatNote(text: string, { keyName, keyId, signature }: NoteSignature): string {
  return `${text}\n— ${keyName} ${Buffer.concat([keyId, signature]).toString('base64')}\n`;
}

/** Undefined for what is no signed note. */
export function parseNote(note: string): SignedNote | undefined {
  const end = note.lastIndexOf('\n\n');
  if (end < 0 || note.length > maxNoteBytes || controls.test(note)) return undefined;
  const signatures: NoteSignature[] = [];
  for (const line of note
    .slice(end + 2)
    .split('\n')
    .slice(0, -1)) {
    const [, keyName, encoded] = signatureLine.exec(line) ?? [];
    if (keyName === undefined || encoded === undefined) return undefined;
    const bytes = Buffer.from(encoded, 'base64');
    if (bytes.length <= keyIdBytes) return undefined;
    signatures.push({
      keyName,
      keyId: bytes.subarray(0, keyIdBytes),
      signature: bytes.subarray(keyIdBytes),
    });
  }
  return note.endsWith('\n') && signatures.length > 0
    ? { text: note.slice(0, end + 1), signatures }
    : undefined;
}

/** Whether that key has signed the text, by the name that the note gives it, and in no line has not. */
export function isSignedBy({ text, signatures }: SignedNote, publicKey: KeyObject): boolean {
  const its = signatures.filter(({ keyName, keyId }) => keyId.equals(keyIdOf(keyName, publicKey)));
  return its.length > 0 && its.every(({ signature }) => isSignature(text, signature, publicKey));
}

/** @throws UnfitKeyError for a key of another kind */
export function keyIdOf(keyName: string, publicKey: KeyObject): Buffer {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const identified =
    kindOf(publicKey) === 'ed25519'
      ? Buffer.concat([Buffer.from(`${keyName}\n`), Buffer.from([0x01]), spki.subarray(-32)])
      : spki;
  return hash('sha256', identified, 'buffer').subarray(0, keyIdBytes);
}

const keyIdBytes = 4;
const signatureLine = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/;
// Other than line feeds.
const controls = /(?!\n)\p{Cc}/u;
