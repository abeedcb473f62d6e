/**
 * `npm run dev`: the local stack, compiled and started again whenever a source changes. Options go to the stack, as with
 * `npm run local -- …`. A source that does not compile leaves it stopped until the next change.
 */

import { spawn } from 'node:child_process';
import { watch } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
// Editors write a file in several steps, and a change of branch many files.
const quietMs = 300;

let running;
let waiting;
let restarting = Promise.resolve();
let ending = false;

for (const folder of ['src', 'emulators', 'console']) {
  watch(join(root, folder), { recursive: true }, () => {
    clearTimeout(waiting);
    waiting = setTimeout(restart, quietMs);
  });
}
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    ending = true;
    // A compiler that outlives this would write into what the next one makes.
    await restarting;
    await stop();
    process.exit();
  });
}
restart();

/** One after the other, however many changes come meanwhile. */
function restart() {
  restarting = restarting.then(async () => {
    await stop();
    if ((await ended(start('scripts/prepare.js', '--build'))) !== 0) {
      console.error('It does not compile; waiting for the next change.');
      return;
    }
    if (ending) return;
    running = start('build/emulators/main.js', 'local', ...process.argv.slice(2));
  });
}

function start(script, ...args) {
  return spawn(process.execPath, [join(root, script), ...args], { cwd: root, stdio: 'inherit' });
}

async function stop() {
  if (running === undefined) return;
  const whenEnded = ended(running);
  running.kill('SIGTERM');
  await whenEnded;
  running = undefined;
}

function ended(child) {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  return new Promise((resolve) => child.once('exit', resolve));
}
