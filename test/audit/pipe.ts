import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import path from 'node:path';
import { errorCodeOf } from '../../src/kit/files/error-code.ts';
import { newDirectory } from './audit-fixture.ts';

/** A named pipe that this process holds open: a reader that reads only when told to. */
export interface Pipe {
  readonly path: string;
  /** From now on whoever writes to it blocks. */
  fill(): void;
  /** Everything that is in it now. */
  drain(): string;
  close(): void;
}

export function createPipe(file = path.join(newDirectory(), 'pipe')): Pipe {
  execFileSync('mkfifo', [file]);
  const fd = openSync(file, constants.O_RDWR | constants.O_NONBLOCK);
  const filler = Buffer.alloc(4096);
  return {
    path: file,
    fill() {
      untilBlocked(() => writeSync(fd, filler));
    },
    drain() {
      const block = Buffer.alloc(65_536);
      let text = '';
      untilBlocked(() => {
        text += block.toString('latin1', 0, readSync(fd, block));
      });
      return text.replaceAll('\0', '');
    },
    close: () => closeSync(fd),
  };
}

export function createFullPipe(file?: string): Pipe {
  const pipe = createPipe(file);
  pipe.fill();
  return pipe;
}

function untilBlocked(step: () => void): void {
  try {
    for (;;) step();
  } catch (error) {
    if (errorCodeOf(error) !== 'EAGAIN') throw error;
  }
}
