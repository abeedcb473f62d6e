/** `npm run faults`: breaks what the broker stands on, row by row, and prints what is kept of its promises. */

import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { failureModes, isFailure, keptIn, keptResult, printed, thisMachine } from './report.ts';
import { type RowResult, RowRunner, runsHere } from './row.ts';
import { rows } from './rows.ts';

const document = 'docs/failure-modes.md';

const help = `npm run faults -- [options]

Starts the built broker with everything that it depends on, breaks each part in turn, and prints
one table: fault, promise, figure demanded, figure seen. All on loopback. The long form takes about
an hour, most of it in the rows sigkill and overload.

  --only a,b,c  these rows alone
  --except a,b  all but these rows
  --short       the form that npm run test:all runs: seconds instead of minutes, times not judged strictly
  --no-write    leave ${document} as it is (a short run always does)
  --list        the ids of the rows
  --help        this text

Exits with 1 if an invariant does not hold, or if a row misses its figure and is not known to.
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    except: { type: 'string' },
    short: { type: 'boolean', default: false },
    'no-write': { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const names = (list: string | undefined) => list?.split(',').filter((name) => name !== '');
const only = names(values.only);
const except = names(values.except) ?? [];
const ids = rows.map(({ id }) => id);
const unknown = [...(only ?? []), ...except].filter((id) => !ids.includes(id));

if (values.help) process.stdout.write(help);
else if (values.list) process.stdout.write(`${ids.join('\n')}\n`);
else if (unknown.length > 0) {
  process.stderr.write(`there is no row ${unknown.join(', ')}; --list shows them\n`);
  process.exitCode = 2;
} else process.exitCode = await main();

async function main(): Promise<number> {
  const wanted = rows.filter(({ id }) => (only?.includes(id) ?? true) && !except.includes(id));
  const chosen = wanted.filter(runsHere);
  for (const { id } of wanted.filter((row) => !runsHere(row))) {
    process.stderr.write(`${id} is not run: it needs root\n`);
  }
  const runner = new RowRunner({ long: !values.short });
  const results: RowResult[] = [];
  try {
    for (const [index, row] of chosen.entries()) {
      process.stderr.write(`[${index + 1}/${chosen.length}] ${row.id} …\n`);
      const result = await runner.run(row);
      results.push(result);
      process.stdout.write(`${printed(result)}\n`);
      if (!values.short && !values['no-write']) keep(result);
    }
  } finally {
    await runner.stop();
  }
  const failed = results.filter(isFailure);
  const met = results.filter((result) => result.met && result.violations.length === 0);
  process.stdout.write(`\n${met.length} of ${results.length} rows met`);
  process.stdout.write(
    failed.length === 0 ? '\n' : `; look at ${failed.map(({ row }) => row.id).join(', ')}\n`,
  );
  return failed.length === 0 ? 0 : 1;
}

/** After each row, so that a run that is broken off has not been for nothing. */
function keep(result: RowResult): void {
  const { results } = keptIn(read(document));
  const latest = keptResult(result, new Date().toISOString().slice(0, 10));
  const others = results.filter(({ id }) => id !== latest.id);
  const kept = { machine: thisMachine(), results: [...others, latest] };
  writeFileSync(document, failureModes(rows, kept));
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
