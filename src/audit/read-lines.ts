import { openAuditFiles } from './audit-files.ts';
import { type LogBytes, logBytes } from './log-bytes.ts';

/** Far longer than any line of the log: what does not fit is damage, and is handed on cut. */
const blockBytes = 256 * 1024;
const lineFeed = 0x0a;

export interface FileLine {
  /** Without the line feed. Valid until the next block is asked for. */
  readonly bytes: Buffer;
  /** From 1. */
  readonly number: number;
  /** False for bytes at the end of the file that no line feed follows. */
  readonly complete: boolean;
}

export interface FileLines {
  readonly file: string;
  readonly lines: readonly FileLine[];
}

/** All lines of an audit directory, or of one file, in the order they were written. Names every file. */
export async function* readAuditLines(location: string): AsyncGenerator<FileLines> {
  for await (const { name: file, handle, sealedEnd } of openAuditFiles(location)) {
    const bytes = logBytes(handle, file, { to: sealedEnd?.bytes });
    for await (const lines of readLines(bytes)) yield { file, lines };
  }
}

/** In blocks: memory does not depend on the size of the file. The first line has number 1. */
export async function* readLines(bytes: LogBytes): AsyncGenerator<readonly FileLine[]> {
  const splitter = new LineSplitter();
  try {
    for (;;) {
      const bytesRead = await bytes.read(splitter.room());
      yield bytesRead === 0 ? splitter.rest() : splitter.split(bytesRead);
      if (bytesRead === 0) return;
    }
  } finally {
    await bytes.close();
  }
}

class LineSplitter {
  readonly #buffer = Buffer.allocUnsafe(blockBytes);
  /** Bytes of an unfinished line at the start of the buffer. */
  #held = 0;
  #start = 0;
  #end = 0;
  #number = 1;
  /** The start of the line has been handed on already, because it was too long to hold. */
  #cut: boolean = false;

  /** Where the next bytes of the file belong. */
  room(): Buffer {
    this.#buffer.copyWithin(0, this.#start, this.#end);
    this.#held = this.#end - this.#start;
    this.#start = 0;
    return this.#buffer.subarray(this.#held);
  }

  split(bytesRead: number): FileLine[] {
    this.#end = this.#held + bytesRead;
    const bytes = this.#buffer.subarray(0, this.#end);
    const lines: FileLine[] = [];
    for (;;) {
      const feed = bytes.indexOf(lineFeed, this.#start);
      if (feed < 0) break;
      this.#hand(lines, feed, true);
      this.#start = feed + 1;
      this.#number += 1;
      this.#cut = false;
    }
    if (this.#start === 0 && this.#end === this.#buffer.length) {
      this.#hand(lines, this.#end, true);
      this.#start = this.#end;
      this.#cut = true;
    }
    return lines;
  }

  rest(): FileLine[] {
    this.#end = this.#held;
    const lines: FileLine[] = [];
    if (this.#held > 0) this.#hand(lines, this.#held, false);
    return lines;
  }

  #hand(lines: FileLine[], end: number, complete: boolean): void {
    if (this.#cut) return;
    const bytes = this.#buffer.subarray(this.#start, end);
    lines.push({ bytes, number: this.#number, complete });
  }
}
