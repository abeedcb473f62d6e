/** `npm run local` as a process of its own, on free ports and with a state of its own. */

import { spawn } from 'node:child_process';
import { existsSync, watch } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../build/emulators/main.js', import.meta.url));

export interface LocalStackProcess {
  /** What `eval` reads. */
  readonly environment: string;
  stop(): Promise<void>;
}

/** @param directory an empty one, which is removed by whoever made it */
export async function startLocalStackProcess(directory: string): Promise<LocalStackProcess> {
  const state = join(directory, 'state');
  const ready = join(directory, 'ready.json');
  const args = ['local', '--port', '0', '--state', state, '--ready-file', ready];
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const written = new Promise<void>((resolve) => {
    const watcher = watch(directory, () => {
      if (!existsSync(ready)) return;
      watcher.close();
      resolve();
    });
  });
  await Promise.race([written, ended]);
  if (!existsSync(ready)) throw new Error(`the local stack did not start: ${said}`);
  return {
    environment: join(state, 'env'),
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
