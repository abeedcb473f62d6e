import type { ChainHead } from '../hash-chain.ts';
import { placedRecords } from './placed-records.ts';

/** The last record that a checkpoint covers; `unreadable` if that was noted and cannot be read any more. */
export type CoveredHead = ChainHead | 'unreadable';

/** Whether a directory, whose log ends in `head`, has that very record. */
export async function hasRecord(
  directory: string,
  head: ChainHead,
  { chain, seq, hash }: ChainHead,
): Promise<boolean> {
  if (head.hash === hash) return true;
  for await (const { record } of placedRecords(directory, seq)) {
    if (record.chain === chain && record.seq === seq) return record.hash === hash;
    // Its file was archived, and the next one follows on it.
    if (record.chain === chain && record.seq === seq + 1) return record.prev === hash;
    if (record.seq > seq) return false;
  }
  return false;
}
