import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { newDirectory } from './audit-fixture.ts';

/** libuv's default; nothing here changes UV_THREADPOOL_SIZE. */
const threads = 4;

/**
 * File operations of this process that begin after this do not return until the answer is called: every thread
 * that could do them waits for the other end of a named pipe.
 */
export function blockDisk(): () => Promise<void> {
  const directory = newDirectory();
  const pipes = Array.from({ length: threads }, (_, number) => path.join(directory, `${number}`));
  execFileSync('mkfifo', pipes);
  const opening = pipes.map((pipe) => open(pipe, 'r'));
  return async () => {
    const writers = pipes.map((pipe) => openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK));
    const readers = await Promise.all(opening);
    for (const reader of readers) await reader.close();
    for (const writer of writers) closeSync(writer);
  };
}
