import { execFileSync } from 'node:child_process';
import { runInThisContext } from 'node:vm';

/**
 * No file of this process may grow beyond `bytes` until the answer is called: what is written there fails (EFBIG)
 * as it does on a full disk, and shorter files beside it can still be written.
 */
export function fillDisk(bytes: number): () => void {
  // Node itself ignores the signal; what Jest brings along ends the process unless somebody else listens too.
  realProcess.on('SIGXFSZ', ignore);
  const limit = (to: string) =>
    execFileSync('prlimit', ['--pid', `${process.pid}`, `--fsize=${to}:`]);
  limit(`${bytes}`);
  return () => {
    limit('unlimited');
    realProcess.off('SIGXFSZ', ignore);
  };
}

/** Jest gives tests a copy, which hears of no signal. */
const realProcess = runInThisContext('process') as NodeJS.Process;

function ignore(): void {}
