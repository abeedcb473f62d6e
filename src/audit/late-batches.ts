import { openAuditFiles } from './audit-files.ts';
import { maxBatchRecords } from './group-commit.ts';
import { type ChainHead, isTornRecord, readLine } from './hash-chain.ts';
import { logBytes } from './log-bytes.ts';
import { type FileLine, readLines } from './read-lines.ts';

/** What stands in a file behind its sealed end. */
export interface LateBatch {
  readonly file: string;
  readonly bytes: number;
  readonly records: number;
  /** Whether it can be what a process was about to write that was taken for dead: one batch, on top of that end. */
  readonly possible: boolean;
}

/** @throws the system's error if a file cannot be read. */
export async function* lateBatches(location: string): AsyncGenerator<LateBatch> {
  for await (const { name: file, handle, sealedEnd } of openAuditFiles(location)) {
    if (sealedEnd === undefined) continue;
    const { bytes: from, head } = sealedEnd;
    const batch = new Batch(head);
    for await (const lines of readLines(logBytes(handle, file, { from }))) {
      for (const line of lines) batch.take(line);
    }
    const { bytes, records, possible } = batch;
    if (bytes > 0) yield { file, bytes, records, possible };
  }
}

class Batch {
  bytes = 0;
  records = 0;
  possible: boolean = true;
  #head: ChainHead;

  constructor(head: ChainHead) {
    this.#head = head;
  }

  take({ bytes, complete }: FileLine): void {
    this.bytes += bytes.length + (complete ? 1 : 0);
    if (!complete) {
      this.possible &&= isTornRecord(bytes);
      return;
    }
    this.records += 1;
    const reading = readLine(bytes);
    this.possible &&= reading.kind === 'sealed' && this.records <= maxBatchRecords;
    if (reading.kind !== 'sealed') return;
    const { record } = reading;
    const { chain, seq, hash } = this.#head;
    this.possible &&= record.chain === chain && record.seq === seq + 1 && record.prev === hash;
    this.#head = record;
  }
}
