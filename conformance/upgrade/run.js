/**
 * `npm run conformance:upgrade`: the last release and this tree side by side on one table, under load. Three brokers of the
 * release are replaced one after another, and then put back, in their own folders. Loopback only.
 */

import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answerViolations, auditViolations } from '../../build/faults/invariants.js';
import { Connection, runLoad, Turnstile } from '../../build/faults/load.js';
import { formNames } from '../../build/faults/wire-forms.js';
import { roleNamed, startWorld } from '../../build/faults/world.js';
import { tryOne } from '../attempt.js';
import { outcomeOf } from '../commands.js';
import { Fleet } from '../fleet.js';
import { readOptions } from '../options.js';
import { builtRelease, commitOf, lastRelease, thisTree } from '../release.js';
import { Editor } from './editor.js';

const usage = `Usage: npm run conformance:upgrade -- [--from REVISION] [--require]

Builds the last release of CHANGELOG.md, or another revision, from its own lockfile, and upgrades three brokers of it to
this tree and back, on one table, under load and edits.

  --from REVISION  A commit, tag or branch of this clone.
  --require        Fail where the revision is not to be had, instead of skipping.
`;
const perSecond = 50;
const places = ['a', 'b', 'c'];
const say = (text) => console.error(text);

const options = readOptions({
  usage,
  options: { from: { type: 'string' }, require: { type: 'boolean', default: false } },
});
if (options !== undefined) {
  const { from = lastRelease().commit, require } = options;
  const prepare = async () => {
    const commit = commitOf(from);
    if (commit === undefined) return { lacks: `this clone does not have ${from}` };
    return { old: await builtRelease(commit, say) };
  };
  await tryOne({ name: 'upgrade', require, prepare, attempt: upgradeAndBack });
}

async function upgradeAndBack({ old }) {
  const directory = mkdtempSync(join(tmpdir(), 'token-broker-upgrade-'));
  const world = await startWorld();
  const fleet = new Fleet(world, directory);
  try {
    for (const place of places) await fleet.start(place, old);
    const { answers, editor } = await rolled(world, fleet, old);
    const found = [
      ...wrongAnswers(answers, world),
      ...(await auditViolations(answers, fleet.auditDirectories)),
      ...(await lostEdits(world, editor)),
      ...(await unreadableLogs(old, fleet, answers)),
      ...(await unreadableSnapshots(world, fleet, old)),
    ];
    return summary(old, answers, editor, found);
  } finally {
    await fleet.stop();
    await world.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Both ways, one broker at a time. */
async function rolled(world, fleet, old) {
  const editor = new Editor(world, fleet);
  const answers = [];
  const turnstile = new Turnstile((index) => question(world, index));
  let turn = 0;
  const load = runLoad({
    connections: 8,
    perSecond,
    next: turnstile.next,
    url() {
      const { inTurn } = fleet;
      turn += 1;
      return inTurn[turn % inTurn.length]?.urls.api;
    },
    onAnswer: (answer) => answers.push(answer),
  });
  try {
    let number = 0;
    await editor.round(number);
    for (const release of [thisTree, old]) {
      for (const place of places) {
        say(`${place}: ${release.name} …`);
        let over = false;
        const replaced = fleet.replace(place, release).finally(() => {
          over = true;
        });
        await Promise.all([replaced, editor.until(() => over)]);
        number += 1;
        await editor.round(number);
      }
    }
  } finally {
    turnstile.close();
    await load;
  }
  return { answers, editor };
}

/** Mostly what is allowed, warm and cold, in each wire form; now and then a role of somebody else. */
function question(world, index) {
  const form = formNames[index % formNames.length];
  if (index % 10 === 9) return { caller: world.user(index), form, role: roleNamed('orders') };
  const cold = form !== 'container' && index % 7 === 0;
  const caller = index % 3 === 0 ? world.service('reports') : world.user(index);
  return cold ? { caller, form, durationSeconds: 900 + 60 * (index % 700) } : { caller, form };
}

function wrongAnswers(answers, world) {
  const isDue = ({ ask, status }) =>
    status === (ask.role === undefined || ask.role === ask.caller.role ? 200 : 403);
  const others = answers.filter((answer) => !isDue(answer));
  const kinds = new Map();
  for (const { status, code, ask } of others) {
    const kind = `${status} ${code} (${ask.form})`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const counted = [...kinds].map(([kind, times]) => `wrong answer ${kind}, ${times} times`);
  return [...counted, ...answerViolations(answers, world)];
}

/** The table has every edit that was acknowledged, and no other. */
async function lostEdits(world, editor) {
  const found = [];
  const head = await world.table.head();
  if (head !== editor.made) found.push(`${editor.made} edits were made, the table has ${head}`);
  for (const [id, { mapping, version }] of editor.expected) {
    const row = await world.table.get(id);
    if (row?.version !== version || row.mapping.description !== (mapping.description ?? '')) {
      found.push(`${id}: version ${row?.version} instead of ${version}`);
    }
  }
  return found;
}

/** Each release verifies what both wrote, and finds the same records in it. */
async function unreadableLogs(old, fleet, answers) {
  const found = [];
  const issued = answers.filter(({ status }) => status === 200).length;
  for (const release of [old, thisTree]) {
    let records = 0;
    for (const directory of fleet.auditDirectories) {
      const verify = await asked(release, ['audit', 'verify', '--directory', directory]);
      if (!verify.ok) found.push(`${release.name}, audit verify: ${verify.all.slice(0, 500)}`);
      const find = ['audit', 'find', '--directory', directory, '--json'];
      const { out } = await asked(release, find);
      const lines = out.split('\n').filter((line) => line.includes('"outcome":"issued"'));
      records += lines.length;
    }
    if (records < issued) found.push(`${release.name}, audit find: ${records} of ${issued} issued`);
  }
  return found;
}

/** Each starts from what the other has left while the table is away. */
async function unreadableSnapshots(world, fleet, old) {
  const found = [];
  for (const [writer, reader] of [
    [old, thisTree],
    [thisTree, old],
  ]) {
    await fleet.replace('a', writer);
    await fleet.end('a');
    await world.fronts.dynamodb.setFault({ kind: 'refuse' });
    try {
      const { urls } = await fleet.start('a', reader);
      const connection = new Connection(urls.api);
      const { status, code } = await connection.ask({ caller: world.user(1) });
      connection.close();
      assert.equal(status, 200, code);
    } catch (error) {
      found.push(`${reader.name}, from the snapshot of ${writer.name}: ${error.message}`);
    } finally {
      await world.fronts.dynamodb.setFault();
    }
  }
  return found;
}

function asked({ main }, args) {
  return outcomeOf(process.execPath, [main, ...args], { cwd: tmpdir(), timeoutMs: 60_000 });
}

/** @throws what was found wrong */
function summary(old, answers, editor, found) {
  const edits = [...editor.edits].map(([name, times]) => `${times} by ${name}`).join(', ');
  const seen = `${old.name} to this tree and back, three brokers
  ${answers.length} answers; edits: ${edits}, ${editor.triedAgain} of them answered 503 and sent again; an edit was in force everywhere after ${editor.slowestMs.toFixed(0)} ms at most`;
  if (found.length > 0) throw new Error([seen, ...found].join('\n  '));
  return seen;
}
