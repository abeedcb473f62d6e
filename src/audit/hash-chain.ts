/**
 * The hash chain of the audit log: one JSON object per line, each sealed with the hash of the one before.
 *
 *     {"seq":7,"chain":"<id>", …fields… ,"prev":"<hash of record 6>","hash":"<hash of this record>"}
 *
 * `hash` is SHA-256 over the bytes of the line up to `,"hash":`, so a verifier needs no canonical JSON.
 */

import { hash, randomBytes } from 'node:crypto';

/** `prev` of the first record of a chain. */
export const genesisHash = '0'.repeat(64);

/** The last record of a chain: what the next one builds on. */
export interface ChainHead {
  readonly chain: string;
  readonly seq: number;
  readonly hash: string;
}

/** A chain without records; its first record gets the number after `afterSeq`. */
export function startChain(afterSeq = 0): ChainHead {
  return { chain: randomBytes(16).toString('hex'), seq: afterSeq, hash: genesisHash };
}

export interface SealedRecords {
  /** Complete lines, printable ASCII: one character is one byte. */
  readonly text: string;
  readonly head: ChainHead;
}

/** Numbers, links and hashes records given as the inner text of JSON objects (see record-fields.ts). */
export function sealRecords(head: ChainHead, records: readonly string[]): SealedRecords {
  const { chain } = head;
  let { seq, hash: previous } = head;
  let text = '';
  for (const fields of records) {
    seq += 1;
    const body = `{"seq":${seq},"chain":"${chain}",${fields},"prev":"${previous}"`;
    previous = hash('sha256', body, 'hex');
    text += `${body},"hash":"${previous}"}\n`;
  }
  return { text, head: { chain, seq, hash: previous } };
}

export interface SealedRecord extends ChainHead {
  readonly prev: string;
}

export type LineReading =
  | { readonly kind: 'sealed'; readonly record: SealedRecord }
  /** `claimed` is what the line says of itself, where that can still be read. */
  | { readonly kind: 'altered'; readonly claimed: SealedRecord | undefined };

const opening = /^\{"seq":([1-9]\d{0,15}),"chain":"([0-9a-f]{32})",/;
const closing = /,"prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}$/;
const openingMaxLength = 70;
const sealLength = ',"hash":"'.length + 64 + '"}'.length;
const closingLength = ',"prev":"'.length + 64 + '"'.length + sealLength;

/** Checks a line, without its line feed, against its own hash. */
export function readLine(line: Buffer): LineReading {
  const start = opening.exec(line.toString('latin1', 0, openingMaxLength));
  const end = closing.exec(line.toString('latin1', Math.max(0, line.length - closingLength)));
  const [, seq, chain] = start ?? [];
  const [, prev, claimedHash] = end ?? [];
  if (!seq || !chain || !prev || !claimedHash) return { kind: 'altered', claimed: undefined };
  const record = { seq: Number(seq), chain, prev, hash: claimedHash };
  const actual = hash('sha256', line.subarray(0, line.length - sealLength), 'hex');
  return actual === claimedHash && Number.isSafeInteger(record.seq)
    ? { kind: 'sealed', record }
    : { kind: 'altered', claimed: record };
}

const anySeal = /","hash":"[0-9a-f]{64}"\}./s;
const recordStart = '{"seq":';

/**
 * Whether bytes at the end of a file, after the last line feed, can be what a crash left of a record being
 * written. What a crash leaves was never acknowledged; whoever shortens the file leaves the same. Anything else is
 * damage: above all a whole record with something other than a line feed after it.
 */
export function isTornRecord(bytes: Buffer): boolean {
  const text = bytes.toString('latin1');
  if (anySeal.test(text)) return false;
  // After a power failure a file may end in zeros that stand for bytes that never reached the disk.
  const written = text.replace(/\0+$/, '');
  return written.length < recordStart.length
    ? recordStart.startsWith(written)
    : written.startsWith(recordStart) && !/[^\x20-\x7e]/.test(written);
}
