/**
 * `npm run bench`: the warm path beside a bare node:http server and a plain Express route, then the cold path against an
 * STS with 80 ms of latency. Servers take turns in short slices, and CPU time per request against bare's in the same run is the
 * figure to quote: what else a machine does moves it least.
 *
 *     --profile DIRECTORY   the broker of the warm path writes a CPU profile of its whole life there
 *     --json FILE           the figures for programs
 *     BENCH_NODE=PATH       another Node for the servers that are measured
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { coldPath } from './cold-path.js';
import { printFigures, writeFigures } from './figures.js';
import { canPin, measuredVersion } from './processes.js';
import { warmPath } from './warm-path.js';

const options = readOptions();
const directory = mkdtempSync(join(tmpdir(), 'token-broker-bench-'));
try {
  const pinned = canPin ? 'on a core each' : 'not pinned to cores';
  console.log(
    `Node ${measuredVersion}; server and load ${pinned}; audit: file with fdatasync; metrics on; TLS off`,
  );
  await warmPath({ directory: join(directory, 'warm'), profileDirectory: options.profile });
  await coldPath({ directory: join(directory, 'cold') });
  printFigures();
  if (options.json !== undefined)
    writeFigures(options.json, { node: measuredVersion, pinned: canPin });
} finally {
  rmSync(directory, { recursive: true, force: true });
}

/** Ends the program for `--help`, and for a command line that is wrong. */
function readOptions() {
  const known = {
    profile: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean' },
  };
  try {
    const { values } = parseArgs({ options: known });
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
