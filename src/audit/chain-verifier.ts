import { parseJsonObject } from '../kit/json/json-object.ts';
import { firstSeqOf } from './audit-files.ts';
import {
  type ChainHead,
  genesisHash,
  isTornRecord,
  readLine,
  type SealedRecord,
} from './hash-chain.ts';
import type { ChainBreak, LogEvent } from './log-event.ts';
import type { LoggedRecord } from './logged-record.ts';
import type { FileLine } from './read-lines.ts';

/**
 * `incomplete`: the log ends in the middle of a line. `new_chain`: a chain begins where none may. `broken_off`: one
 * begins with the record that names the chain before it as broken. `renamed`: a closed file does not begin with
 * the record that its name says. The other ones are what they are called.
 */
export type ProblemKind =
  | 'altered'
  | 'missing'
  | 'reordered'
  | 'duplicated'
  | 'truncated'
  | 'incomplete'
  | 'new_chain'
  | 'broken_off'
  | 'renamed';

export interface Problem {
  readonly kind: ProblemKind;
  readonly file: string;
  readonly line: number;
  /** Number of the record concerned, where the line still says it. */
  readonly seq: number | undefined;
  readonly detail: string;
}

/** One chain as found. */
export interface ChainExtent {
  readonly chain: string;
  readonly file: string;
  readonly line: number;
  readonly firstSeq: number;
  lastSeq: number;
  records: number;
}

/** Bytes at the end of a file that a process had found incomplete, and cut off: it says so in a record. */
export interface CutOff {
  readonly file: string;
  readonly line: number;
  readonly bytes: number;
  /** File in the directory of the log that keeps them. */
  readonly keptIn: string;
}

export interface ChainFindings {
  /** Lines of any kind. */
  readonly lines: number;
  /** Those of them that are records in their place. */
  readonly records: number;
  readonly chains: readonly ChainExtent[];
  readonly head: ChainHead | undefined;
  /** The first ones; `problemCount` counts all. */
  readonly problems: readonly Problem[];
  readonly problemCount: number;
  /** The last ones. A crash leaves them; that somebody did not, nobody can tell from the log. */
  readonly cutOff: readonly CutOff[];
}

export interface ChainExpectations {
  /** Number of the record that the log is expected to begin with, if earlier files were archived. Default 1. */
  readonly firstSeq?: number | undefined;
  /** What a collector kept of standard output, where each process, and each failed write, begins a chain. */
  readonly separateChains?: boolean | undefined;
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
const maxCutOff = 20;

/** Follows a log line by line. What it keeps does not grow with the log, only with what is wrong in it. */
export class ChainVerifier {
  readonly #firstSeq: number | undefined;
  readonly #separateChains: boolean;
  readonly #problems: Problem[] = [];
  readonly #gaps: Gap[] = [];
  readonly #cutOff: CutOff[] = [];
  /** Where the chains that another one has followed had got to. */
  readonly #ended = new Map<string, ChainHead>();
  readonly #chains = new Map<string, ChainExtent>();
  #problemCount = 0;
  #lines = 0;
  #records = 0;
  #head: ChainHead | undefined;
  /** Lines since the last record that are none: each may have been one, so one fault is one problem. */
  #unread = 0;
  #incomplete: (Place & { readonly bytes: number }) | undefined;

  constructor({ firstSeq, separateChains = false }: ChainExpectations) {
    this.#firstSeq = firstSeq;
    this.#separateChains = separateChains;
  }

  take(file: string, { bytes, number: line, complete }: FileLine): SealedRecord | undefined {
    const place = { file, line };
    this.#refuseEarlierIncomplete();
    this.#lines += 1;
    if (!complete) {
      this.#takeIncomplete(bytes, place);
      return undefined;
    }
    const reading = readLine(bytes);
    if (reading.kind === 'altered') {
      this.#problem('altered', place, reading.claimed?.seq, 'does not match its own hash');
      this.#unread += 1;
      return undefined;
    }
    this.#checkName(reading.record, place);
    this.#takeSealed(reading.record, bytes, place);
    return reading.record;
  }

  /** A file without a single byte. The current one may be: rotation has just begun it. */
  takeEmpty(file: string): void {
    const seq = firstSeqOf(file);
    if (seq === undefined) return;
    this.#problem('missing', { file, line: 1 }, seq, 'is missing: the file is empty');
  }

  findings(): ChainFindings {
    if (this.#incomplete !== undefined) {
      const { bytes } = this.#incomplete;
      this.#problem('incomplete', this.#incomplete, undefined, endsWithin(bytes));
      this.#incomplete = undefined;
    }
    return {
      lines: this.#lines,
      records: this.#records,
      chains: [...this.#chains.values()],
      head: this.#head,
      problems: this.#problems,
      problemCount: this.#problemCount,
      cutOff: this.#cutOff,
    };
  }

  #checkName({ seq }: SealedRecord, place: Place): void {
    const named = place.line === 1 ? firstSeqOf(place.file) : undefined;
    if (named === undefined || named === seq) return;
    this.#problem('renamed', place, seq, `comes first, and the name of the file says ${named}`);
  }

  #takeSealed(record: SealedRecord, bytes: Buffer, place: Place): void {
    const head = this.#head;
    if (head?.chain !== record.chain) {
      this.#enterChain(record, bytes, place);
      return;
    }
    if (record.seq <= head.seq) {
      this.#takeEarlier(record, place);
      return;
    }
    const next = head.seq + 1;
    if (record.seq > next + this.#unread) {
      this.#gap(record, place, next + this.#unread);
    } else if (record.seq === next && record.prev !== head.hash) {
      this.#problem(
        'altered',
        place,
        record.seq,
        'does not continue the record before it: one of the two was replaced',
      );
    }
    this.#noteRecovery(bytes, place);
    this.#advance(record);
  }

  #enterChain(record: SealedRecord, bytes: Buffer, place: Place): void {
    const ended = this.#ended.get(record.chain);
    if (ended !== undefined) {
      this.#takeEnded(record, ended, place);
      return;
    }
    const { chain, seq: firstSeq } = record;
    this.#checkBeginning(record, bytes, place);
    if (this.#head !== undefined) this.#ended.set(this.#head.chain, this.#head);
    this.#chains.set(chain, { chain, ...place, firstSeq, lastSeq: firstSeq, records: 0 });
    this.#noteRecovery(bytes, place);
    this.#advance(record);
  }

  /** A record of a chain that another one has followed: put there, unless it is the other one that was. */
  #takeEnded(record: SealedRecord, ended: ChainHead, place: Place): void {
    const { seq, prev } = record;
    if (seq !== ended.seq + 1 || prev !== ended.hash) {
      this.#problem('reordered', place, seq, 'belongs to a chain that ended earlier');
      return;
    }
    this.#problem('reordered', place, seq, 'goes on with a chain that another one interrupted');
    if (this.#head !== undefined) this.#ended.set(this.#head.chain, this.#head);
    this.#ended.delete(record.chain);
    this.#advance(record);
  }

  /** A chain may begin where the log does, or with the record that names the broken one. */
  #checkBeginning(record: SealedRecord, bytes: Buffer, place: Place): void {
    if (this.#head === undefined) this.#checkFirst(record, bytes, place);
    else if (this.#separateChains) this.#checkNumber(record, place, 1);
    else this.#checkNamesBroken(record, bytes, place, this.#head);
  }

  #checkFirst(record: SealedRecord, bytes: Buffer, place: Place): void {
    this.#checkNumber(record, place, this.#firstSeq ?? 1);
    if (this.#firstSeq !== undefined || this.#unread > 0) return;
    const broken = eventOf(bytes, 'audit_chain_broken');
    if (broken !== undefined) this.#problem('broken_off', place, record.seq, brokenOff(broken));
  }

  #checkNumber(record: SealedRecord, place: Place, expected: number): void {
    const { seq, prev } = record;
    if (seq > expected + this.#unread) {
      this.#gap(record, place, expected + this.#unread);
    } else if (seq < expected) {
      const detail = `comes first, although the log was to begin with record ${expected}`;
      this.#problem('missing', place, seq, detail);
    } else if (seq === 1 && prev !== genesisHash) {
      this.#problem('altered', place, seq, 'is the first one, and yet continues another');
    }
  }

  #checkNamesBroken(record: SealedRecord, bytes: Buffer, place: Place, head: ChainHead): void {
    const { seq } = record;
    const broken = eventOf(bytes, 'audit_chain_broken');
    if (broken === undefined || record.prev !== genesisHash) {
      const detail =
        'begins a chain that names none before it as broken: what it follows on is not what was written there';
      this.#problem('new_chain', place, seq, detail);
      return;
    }
    // What it names is the line before, and that was found to be no record already.
    if (this.#unread > 0) return;
    const { brokenChain = head.chain, brokenSeq = head.seq } = broken;
    if (brokenChain === head.chain && brokenSeq === head.seq) {
      this.#problem('broken_off', place, seq, brokenOff(broken));
    } else {
      const detail = `names record ${brokenSeq} of chain ${brokenChain} as the broken end before it, which is not there`;
      this.#problem('missing', place, seq, detail);
    }
  }

  #advance({ chain, seq, hash }: SealedRecord): void {
    this.#head = { chain, seq, hash };
    this.#unread = 0;
    this.#records += 1;
    const extent = this.#chains.get(chain);
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

  #noteRecovery(bytes: Buffer, place: Place): void {
    const recovered = eventOf(bytes, 'audit_recovered');
    if (recovered === undefined) return;
    const { cutBytes, keptIn } = recovered;
    if (typeof cutBytes !== 'number' || typeof keptIn !== 'string') return;
    this.#cutOff.push({ ...place, bytes: cutBytes, keptIn });
    if (this.#cutOff.length > maxCutOff) this.#cutOff.shift();
  }

  #takeIncomplete(bytes: Buffer, place: Place): void {
    if (isTornRecord(bytes)) {
      this.#incomplete = { ...place, bytes: bytes.length };
    } else {
      this.#problem('altered', place, undefined, 'is neither a record nor the start of one');
      this.#unread += 1;
    }
  }

  /** Only the end of the whole log may be incomplete: recovery cuts it off before anything is appended. */
  #refuseEarlierIncomplete(): void {
    if (this.#incomplete === undefined) return;
    const { file, line } = this.#incomplete;
    this.#incomplete = undefined;
    this.#problem('altered', { file, line }, undefined, 'breaks off in the middle of the log');
    this.#unread += 1;
  }

  #problem(kind: ProblemKind, { file, line }: Place, seq: number | undefined, detail: string) {
    this.#problemCount += 1;
    if (this.#problems.length < maxProblems) this.#problems.push({ kind, file, line, seq, detail });
  }
}

/** The record, if it is an event of that type. Whoever seals lines decides what is in them: nothing else is known. */
function eventOf(bytes: Buffer, type: LogEvent['type']): LoggedRecord | undefined {
  if (!bytes.subarray(0, typeWithinBytes).includes(`"type":"${type}"`)) return undefined;
  const record = parseJsonObject(bytes.toString('latin1'));
  return record?.['type'] === type ? record : undefined;
}

/** The type is the first field that is not the seal's. */
const typeWithinBytes = 128;

function brokenOff(broken: LoggedRecord): string {
  const why = breakReasons[broken['reason'] as ChainBreak] ?? breakReasons.tail_altered;
  return `names the chain before it as broken: ${why}`;
}

const breakReasons: Readonly<Record<ChainBreak, string>> = {
  tail_altered: 'its last line was not a record as it was written',
  tail_unexpected: 'it had not ended as the process had written it',
  checkpoint_missing: 'it lacked a record that a checkpoint covers',
};

function endsWithin(bytes: number): string {
  return `breaks off after ${bytes} byte${bytes === 1 ? '' : 's'}: a crash left it so, or somebody cut it. Whether the record had been acknowledged cannot be told from the log`;
}
