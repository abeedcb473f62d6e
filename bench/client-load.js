/**
 * `npm run bench:client`: what `import 'token-broker/client'` costs a process that starts, beside a Node that imports nothing. Taken in turns, and the
 * fastest of each counts: whatever else the machine does can only add.
 */

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const turns = 15;
const root = fileURLToPath(new URL('..', import.meta.url));
const programs = {
  'node alone': '',
  credentials: `import 'token-broker/client';`,
  tokens: `import 'token-broker/client/tokens';`,
  middleware: `import 'token-broker/client/middleware';`,
  sts: `import 'token-broker/client/sts';`,
};

const fastest = Object.fromEntries(
  Object.keys(programs).map((name) => [name, Number.POSITIVE_INFINITY]),
);
for (let turn = 0; turn < turns; turn += 1) {
  for (const [name, program] of Object.entries(programs)) {
    fastest[name] = Math.min(fastest[name], startMs(program));
  }
}
const bare = fastest['node alone'];
console.log('Start of a process with an entry of the client library');
for (const [name, ms] of Object.entries(fastest)) {
  const more = `+${(ms - bare).toFixed(0)} ms`;
  console.log(
    `  ${name.padEnd(12)} ${ms.toFixed(0).padStart(5)} ms ${more.padStart(9)}  ${(ms / bare).toFixed(2)}x`,
  );
}

function startMs(program) {
  const begin = performance.now();
  execFileSync(process.execPath, ['--input-type=module', '--eval', program], { cwd: root });
  return performance.now() - begin;
}
