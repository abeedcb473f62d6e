import { firstSeqOf, openAuditFiles } from '../audit-files.ts';
import { readLine, type SealedRecord } from '../hash-chain.ts';
import { type LogBytes, logBytes } from '../log-bytes.ts';
import { readStart } from '../log-tail.ts';
import { readLines } from '../read-lines.ts';

/** A place between two lines: files are known by their first record, whatever their name is by now. */
export interface LogPlace {
  readonly firstSeq: number;
  readonly offset: number;
}

export interface PlacedRecord {
  readonly record: SealedRecord;
  /** Right behind it. */
  readonly next: LogPlace;
}

/**
 * The sealed records of an audit directory, from the place on, or else from the start of the file that has, or would have,
 * record `fromSeq`. Lines that are none are left out.
 *
 * @throws the system's error if a file cannot be read.
 */
export async function* placedRecords(
  directory: string,
  fromSeq: number,
  place?: LogPlace,
): AsyncGenerator<PlacedRecord> {
  const files = openAuditFiles(directory, ({ firstSeq }, next) =>
    place === undefined
      ? next === undefined || next.firstSeq > fromSeq
      : firstSeq >= place.firstSeq,
  );
  for await (const { name, handle, sealedEnd } of files) {
    const firstSeq = firstSeqOf(name) ?? (await readStart(handle))?.firstSeq ?? 0;
    const from = firstSeq === place?.firstSeq ? place.offset : 0;
    const bytes = logBytes(handle, name, { from, to: sealedEnd?.bytes });
    for await (const { record, end } of recordsIn(bytes, from)) {
      yield { record, next: { firstSeq, offset: end } };
    }
  }
}

async function* recordsIn(bytes: LogBytes, from: number) {
  let end = from;
  for await (const lines of readLines(bytes)) {
    for (const { bytes: line, complete } of lines) {
      if (!complete) return;
      end += line.length + 1;
      const reading = readLine(line);
      if (reading.kind === 'sealed') yield { record: reading.record, end };
    }
  }
}
