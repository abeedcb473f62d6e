/**
 * `npm run bench`: what the broker costs, each figure with what is demanded of it. In turn: the warm path beside a bare
 * node:http server and a plain Express route, traces that are configured and that nobody asks for, the cold path against an STS with
 * 80 ms of latency, overload, memory, large policies, and commands with many mappings. Servers take turns in short slices, and CPU time per request against bare's in
 * the same run is the figure to quote: what else a machine does moves it least.
 *
 *     --only PARTS          such as warm,cold: some of warm, traces, cold, overload, memory, policy, commands
 *     --profile DIRECTORY   the brokers of the warm path, the cold path and the overload write CPU profiles of their whole lives there
 *     --json FILE           the figures for programs
 *     BENCH_NODE=PATH       another Node for the servers that are measured
 *     BENCH_ROUNDS, BENCH_SLICE_SECONDS, BENCH_PAIRS, BENCH_SESSIONS, BENCH_POLICY_ROWS, BENCH_COMMAND_MAPPINGS
 *                           how much of each: rounds and slices of load, pairs of processes, sessions, role mappings
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { coldPath } from './cold-path.js';
import { commands } from './commands.js';
import { printFigures, writeFigures } from './figures.js';
import { memory } from './memory.js';
import { overload } from './overload.js';
import { policy } from './policy.js';
import { canPin, measuredVersion } from './processes.js';
import { traces } from './traces.js';
import { warmPath } from './warm-path.js';

const parts = { warm: warmPath, traces, cold: coldPath, overload, memory, policy, commands };
const options = readOptions();
const directory = mkdtempSync(join(tmpdir(), 'token-broker-bench-'));
try {
  const pinned = canPin ? 'on a core each' : 'not pinned to cores';
  console.log(
    `Node ${measuredVersion}; server and load ${pinned}; audit: file with fdatasync; metrics on; TLS off`,
  );
  for (const name of options.only?.split(',') ?? Object.keys(parts)) {
    await parts[name]({ directory: join(directory, name), profileDirectory: options.profile });
  }
  printFigures();
  if (options.json !== undefined)
    writeFigures(options.json, { node: measuredVersion, pinned: canPin });
} finally {
  rmSync(directory, { recursive: true, force: true });
}

/** Ends the program for `--help`, and for a command line that is wrong. */
function readOptions() {
  const known = {
    only: { type: 'string' },
    profile: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean' },
  };
  try {
    const { values } = parseArgs({ options: known });
    const unknown = values.only?.split(',').find((name) => !Object.hasOwn(parts, name));
    if (unknown !== undefined) throw new Error(`There is no part ${unknown}.`);
    if (values.help !== true) return values;
    console.log(usage());
    process.exit(0);
  } catch (error) {
    console.error(`${error.message}\n\n${usage()}`);
    process.exit(2);
  }
}

/** What stands at the top of this file. */
function usage() {
  const source = readFileSync(new URL(import.meta.url), 'utf8');
  return source
    .slice(3, source.indexOf('*/'))
    .replaceAll(/^ \* ?/gm, '')
    .trim();
}
