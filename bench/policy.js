/**
 * How long many role mappings take to load, from the table and from the snapshot file, how soon an edit among them is in
 * force, and what a decision costs among few and among many.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { decide } from '../dist/core/policy/decide.js';
import { compileSnapshot } from '../dist/core/policy/policy-snapshot.js';
import { PolicySync } from '../dist/dynamodb/policy-sync.js';
import { readMapping } from '../dist/dynamodb/role-mapping-item.js';
import { median, note } from './figures.js';
import { callerOf, clock, openTable, roleMappingOf, rules } from './policy-under-test.js';
import { firstLine, startNode, stopProcess } from './processes.js';

const sizes = [10, 1000, 100_000, 1_000_000];
const manyRows = Number(process.env.BENCH_POLICY_ROWS ?? 100_000);
/** Of the event loop, whatever the size. */
const maxPauseMs = 50;
const edits = 11;
const pollMs = 2000;

const unreachable = {
  head: () => Promise.reject(new Error('away')),
  loadAll: () => Promise.reject(new Error('away')),
  changesSince: () => Promise.reject(new Error('away')),
};

export async function policy({ directory }) {
  // Before a million mappings have been in this process: the collector would tidy up after them during the load.
  await loadAndEdit(directory);
  decisionTimes();
}

function decisionTimes() {
  // The first size would pay for the compiler.
  measureDecisions(1000, alike);
  const many = sizes.at(-1);
  console.log('\nDecision: 2,000 app clients in turn, each with one mapping, among so many');
  const { bytesEach } = compareSizes(alike, sizes);
  note(`policy, ${many} mappings: bytes of memory for each`, bytesEach, { atMost: 1024 });
  console.log('\nThe same, where no two mappings have the same conditions');
  compareSizes(different, [sizes[0], many]);
}

/** As a broker holds the rows of the table. One after the other: all of them as input would count as well. */
const alike = {
  name: 'conditions alike',
  *mappings(size) {
    for (let at = 0; at < size; at += 1) {
      const mapping = roleMappingOf(at);
      yield readMapping({ id: mapping.id, version: 1, text: JSON.stringify(mapping) }, rules)
        .stored;
    }
  },
};

/** None shares a part with another: as if each had conditions, an owner and a description that no other has. */
const different = {
  name: 'all different',
  *mappings(size) {
    for (let at = 0; at < size; at += 1) yield { mapping: roleMappingOf(at), version: 1 };
  },
};

/** What was found of the largest. */
function compareSizes(kind, these) {
  console.log('  mappings   first of a token µs   second µs   later µs   bytes a mapping');
  const found = these.map((size) => {
    const figures = measureDecisions(size, kind);
    console.log(
      [
        String(size).padStart(10),
        figures.firstMicros.toFixed(2).padStart(21),
        figures.secondMicros.toFixed(2).padStart(11),
        figures.laterMicros.toFixed(2).padStart(10),
        figures.bytesEach.toFixed(0).padStart(17),
      ].join(' '),
    );
    return figures;
  });
  const [few, many] = [found[0], found.at(-1)];
  const among = `among ${these.at(-1)} over one among ${these[0]}`;
  for (const [name, member] of [
    ['second', 'secondMicros'],
    ['later', 'laterMicros'],
  ]) {
    note(`${name} decision of a token ${among}, ${kind.name}`, many[member] / few[member], {
      atMost: 1.2,
    });
  }
  return many;
}

/**
 * Decisions for 2,000 callers in turn. Between the first and the second of a token lies all that the first one leaves behind,
 * which is more than a processor's caches hold; later ones show what is the size of the policy's and not theirs.
 */
function measureDecisions(size, { mappings }) {
  const before = usedHeap();
  const snapshot = compileSnapshot(1, mappings(size));
  const bytesEach = (usedHeap() - before) / size;
  const request = { role: undefined, durationSeconds: undefined, sourceIp: '192.0.2.1' };
  const now = clock.now();
  const microsEach = (callers) => {
    const startedAt = performance.now();
    for (const caller of callers) {
      if (decide(snapshot, caller, request, now).kind !== 'allow') throw new Error('denied');
    }
    return ((performance.now() - startedAt) * 1000) / callers.length;
  };
  const rounds = Array.from({ length: 9 }, (_, round) => {
    // Spread over all mappings, other ones in each round.
    const callers = Array.from({ length: 2000 }, (_, at) => callerOf((at * 47 + round) % size));
    const [first, second, ...later] = Array.from({ length: 7 }, () => microsEach(callers));
    return { first, second, later: median(later) };
  });
  return {
    firstMicros: median(rounds.map(({ first }) => first)),
    secondMicros: median(rounds.map(({ second }) => second)),
    laterMicros: median(rounds.map(({ later }) => later)),
    bytesEach,
  };
}

function usedHeap() {
  // Only with --expose-gc, as run.js starts this part.
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

async function loadAndEdit(directory) {
  console.error(`Filling a table with ${manyRows} role mappings …`);
  mkdirSync(directory, { recursive: true });
  const server = startNode(1, ['bench/policy-table.js', String(manyRows)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // What is demanded is demanded of 100,000.
  const within = (cpuSeconds) => ({ atMost: (cpuSeconds * manyRows) / 100_000 });
  try {
    const { client, table } = openTable(await firstLine(server));
    const snapshotFile = join(directory, 'policy.json');
    const source = new PolicySync({
      ...{ table, rules, clock, snapshotFile },
      program: 'bench',
      pollIntervalMs: pollMs,
    });
    await report(`load of ${manyRows} rows from the table`, within(3), async () => {
      await source.start();
      if (source.current().byId.size !== manyRows) throw new Error('rows are missing');
    });
    await editAndWait(table, source);
    await source.stop();
    client.destroy();
    const restarted = new PolicySync({
      ...{ rules, clock, snapshotFile },
      table: { ...unreachable, place: () => table.place() },
      program: 'bench',
    });
    await report(`start with ${manyRows} rows from the snapshot file`, within(1.5), async () => {
      await restarted.start();
      restarted.current();
    });
    await restarted.stop();
  } finally {
    await stopProcess(server);
  }
}

async function report(what, demand, run) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const startedAt = performance.now();
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  const seconds = (performance.now() - startedAt) / 1000;
  // What came last is noticed by the next turn only.
  await pause(10);
  delay.disable();
  console.log(`${what}: ${seconds.toFixed(2)} s`);
  note(`policy, ${what}: seconds of CPU`, (user + system) / 1e6, demand);
  note(`policy, ${what}: longest pause, ms`, delay.max / 1e6, { atMost: maxPauseMs });
}

async function editAndWait(table, source) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const lagsMs = [];
  delay.enable();
  for (let edit = 0; edit < edits; edit += 1) {
    // Anywhere between two polls.
    await pause((edit * pollMs) / edits);
    const mapping = { ...roleMappingOf(Math.floor((edit * manyRows) / edits)), precedence: 1 };
    const { revision } = await table.write({
      id: mapping.id,
      expectedVersion: 1,
      mapping,
      actor: 'bench',
      reason: 'benchmark',
    });
    const writtenAt = performance.now();
    // The policy follows by itself, as on every instance but the one that made the edit.
    while (source.current().revision < revision) await pause(1);
    lagsMs.push(performance.now() - writtenAt);
  }
  delay.disable();
  note(`policy, edit to effect among ${manyRows} rows: at most, ms`, Math.max(...lagsMs), {
    atMost: 5000,
  });
  note(`policy, edits among ${manyRows} rows: longest pause, ms`, delay.max / 1e6, {
    atMost: maxPauseMs,
  });
}

function pause(ms) {
  return new Promise((done) => setTimeout(done, ms));
}
