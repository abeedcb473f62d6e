import {
  type ChainHead,
  genesisHash,
  isTornRecord,
  readLine,
  type SealedRecord,
} from './hash-chain.ts';
import type { FileLine } from './read-lines.ts';

export type ProblemKind = 'altered' | 'missing' | 'reordered' | 'duplicated' | 'truncated';

export interface Problem {
  readonly kind: ProblemKind;
  readonly file: string;
  readonly line: number;
  /** Number of the record concerned, where the line still says it. */
  readonly seq: number | undefined;
  readonly detail: string;
}

/** One chain as found: a new one begins where a process could not, or by its kind of sink does not, go on. */
export interface ChainExtent {
  readonly chain: string;
  readonly file: string;
  readonly line: number;
  readonly firstSeq: number;
  lastSeq: number;
  records: number;
}

/** Bytes after the last line feed that a crash, or a write still under way, left of a record. */
export interface IncompleteLine {
  readonly file: string;
  readonly line: number;
  readonly bytes: number;
}

export interface ChainFindings {
  readonly records: number;
  readonly chains: readonly ChainExtent[];
  readonly head: ChainHead | undefined;
  /** The first ones; `problemCount` counts all. */
  readonly problems: readonly Problem[];
  readonly problemCount: number;
  readonly incomplete: IncompleteLine | undefined;
}

interface Place {
  readonly file: string;
  readonly line: number;
}

interface Gap {
  readonly problemIndex: number;
  readonly from: number;
  readonly to: number;
}

const maxProblems = 100;

/** Follows a log line by line. What it keeps does not grow with the log, only with what is wrong in it. */
export class ChainVerifier {
  readonly #firstSeq: number | undefined;
  readonly #problems: Problem[] = [];
  readonly #gaps: Gap[] = [];
  readonly #ended = new Set<string>();
  readonly #chains: ChainExtent[] = [];
  #problemCount = 0;
  #records = 0;
  #head: ChainHead | undefined;
  /** After an altered line its successor is taken as it is: one fault, one problem. */
  #resync: boolean = false;
  #incomplete: IncompleteLine | undefined;

  /** `firstSeq`: the record that the log is expected to begin with, if earlier files were archived. */
  constructor(firstSeq: number | undefined) {
    this.#firstSeq = firstSeq;
  }

  take(file: string, { bytes, number: line, complete }: FileLine): SealedRecord | undefined {
    const place = { file, line };
    this.#refuseEarlierIncomplete();
    if (!complete) {
      this.#takeIncomplete(bytes, place);
      return undefined;
    }
    const reading = readLine(bytes);
    if (reading.kind === 'altered') {
      this.#problem('altered', place, reading.claimed?.seq, 'does not match its own hash');
      this.#resync = true;
      return undefined;
    }
    this.#takeSealed(reading.record, place);
    return reading.record;
  }

  findings(): ChainFindings {
    return {
      records: this.#records,
      chains: this.#chains,
      head: this.#head,
      problems: this.#problems,
      problemCount: this.#problemCount,
      incomplete: this.#incomplete,
    };
  }

  #takeSealed(record: SealedRecord, place: Place): void {
    const head = this.#head;
    if (head?.chain !== record.chain) {
      this.#enterChain(record, place);
      return;
    }
    if (record.seq <= head.seq) {
      this.#takeEarlier(record, place);
      return;
    }
    if (!this.#resync && record.seq > head.seq + 1) {
      this.#gap(record, place, head.seq + 1);
    } else if (!this.#resync && record.prev !== head.hash) {
      this.#problem(
        'altered',
        place,
        record.seq,
        'does not continue the record before it: one of the two was replaced',
      );
    }
    this.#advance(record);
  }

  #enterChain(record: SealedRecord, place: Place): void {
    if (this.#ended.has(record.chain)) {
      this.#problem('reordered', place, record.seq, 'belongs to a chain that ended earlier');
      return;
    }
    if (this.#head !== undefined) this.#ended.add(this.#head.chain);
    const { chain, seq: firstSeq } = record;
    this.#chains.push({ chain, ...place, firstSeq, lastSeq: firstSeq, records: 0 });
    if (!this.#resync && !this.#mayBegin(record)) {
      this.#gap(record, place, this.#head === undefined ? (this.#firstSeq ?? 1) : 1);
    }
    this.#advance(record);
  }

  #mayBegin(record: SealedRecord): boolean {
    if (this.#head === undefined && this.#firstSeq !== undefined) {
      return record.seq === this.#firstSeq;
    }
    return record.prev === genesisHash;
  }

  #advance({ chain, seq, hash }: SealedRecord): void {
    this.#head = { chain, seq, hash };
    this.#resync = false;
    this.#records += 1;
    const extent = this.#chains.at(-1);
    if (extent === undefined) return;
    extent.lastSeq = seq;
    extent.records += 1;
  }

  /** A number that has passed: either it was missed before, then the order is wrong, or it was there. */
  #takeEarlier(record: SealedRecord, place: Place): void {
    const gap = this.#gaps.find(({ from, to }) => record.seq >= from && record.seq <= to);
    if (gap === undefined) {
      this.#problem('duplicated', place, record.seq, 'was there before');
      return;
    }
    const problem = this.#problems[gap.problemIndex];
    if (problem === undefined) return;
    const detail = `stands before record ${record.seq}, which is at ${place.file} line ${place.line}`;
    this.#problems[gap.problemIndex] = { ...problem, kind: 'reordered', detail };
  }

  #gap(record: SealedRecord, place: Place, from: number): void {
    const to = record.seq - 1;
    const missing = from >= to ? `record ${from} is` : `records ${from} to ${to} are`;
    if (this.#problems.length < maxProblems) {
      this.#gaps.push({ problemIndex: this.#problems.length, from, to });
    }
    this.#problem('missing', place, record.seq, `${missing} missing before this one`);
  }

  #takeIncomplete(bytes: Buffer, place: Place): void {
    if (isTornRecord(bytes)) {
      this.#incomplete = { ...place, bytes: bytes.length };
    } else {
      this.#problem('altered', place, undefined, 'is neither a record nor the start of one');
    }
  }

  /** Only the end of the whole log may be incomplete: recovery cuts it off before anything is appended. */
  #refuseEarlierIncomplete(): void {
    if (this.#incomplete === undefined) return;
    const { file, line } = this.#incomplete;
    this.#incomplete = undefined;
    this.#problem('altered', { file, line }, undefined, 'breaks off in the middle of the log');
    this.#resync = true;
  }

  #problem(kind: ProblemKind, { file, line }: Place, seq: number | undefined, detail: string) {
    this.#problemCount += 1;
    if (this.#problems.length < maxProblems) this.#problems.push({ kind, file, line, seq, detail });
  }
}
