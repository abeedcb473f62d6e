/**
 * `npm run bench:policy`: what a decision costs with few and with many role mappings, how long many take to load,
 * and how soon an edit among them is in force. One run on one machine; that figures are flat counts, not the figures.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { decide } from '../dist/core/policy/decide.js';
import { compileSnapshot } from '../dist/core/policy/policy-snapshot.js';
import { PolicySync } from '../dist/dynamodb/policy-sync.js';
import { callerOf, clock, openTable, roleMappingOf, rules } from './policy-under-test.js';
import { firstLine, startNode, stopProcess } from './processes.js';

const sizes = [10, 1000, 100_000];
const manyRows = sizes.at(-1);
const edits = 11;
const pollMs = 2000;

const unreachable = {
  head: () => Promise.reject(new Error('away')),
  loadAll: () => Promise.reject(new Error('away')),
  changesSince: () => Promise.reject(new Error('away')),
};

decisionTimes();
await loadAndEdit();

function decisionTimes() {
  console.log('\nDecision: one app client with one mapping, among so many');
  console.log('  mappings   first of a token µs   again µs');
  // The first size would pay for the compiler.
  measureDecisions(1000);
  for (const size of sizes) {
    const { firstMicros, againMicros } = measureDecisions(size);
    console.log(
      [
        String(size).padStart(10),
        firstMicros.toFixed(2).padStart(21),
        againMicros.toFixed(2).padStart(10),
      ].join(' '),
    );
  }
}

function measureDecisions(size) {
  const rows = Array.from({ length: size }, (_, at) => ({
    mapping: roleMappingOf(at),
    version: 1,
  }));
  const snapshot = compileSnapshot(1, rows);
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
    return { first: microsEach(callers), again: microsEach(callers) };
  });
  return {
    firstMicros: medianOf(rounds.map(({ first }) => first)),
    againMicros: medianOf(rounds.map(({ again }) => again)),
  };
}

async function loadAndEdit() {
  console.error(`Filling a table with ${manyRows} role mappings …`);
  const server = startNode(1, ['bench/policy-table.js', String(manyRows)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const directory = mkdtempSync(join(tmpdir(), 'token-broker-bench-'));
  try {
    const { client, table } = openTable(await firstLine(server));
    const snapshotFile = join(directory, 'policy.json');
    const policy = new PolicySync({ table, rules, clock, snapshotFile, pollIntervalMs: pollMs });
    await report(`Load of ${manyRows} rows from a local DynamoDB`, async () => {
      await policy.start();
      if (policy.current().byId.size !== manyRows) throw new Error('rows are missing');
    });
    await editAndWait(table, policy);
    await policy.stop();
    client.destroy();
    const restarted = new PolicySync({ table: unreachable, rules, clock, snapshotFile });
    await report('Start from the snapshot file while the table is away', async () => {
      await restarted.start();
      restarted.current();
    });
    await restarted.stop();
  } finally {
    await stopProcess(server);
    rmSync(directory, { recursive: true, force: true });
  }
}

async function report(what, run) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const startedAt = performance.now();
  await run();
  const seconds = (performance.now() - startedAt) / 1000;
  // What came last is noticed by the next turn only.
  await pause(10);
  delay.disable();
  console.log(
    `${what}: ${seconds.toFixed(2)} s; other requests waited ${milliseconds(delay.max / 1e6)} at most`,
  );
}

async function editAndWait(table, policy) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const lagsMs = [];
  delay.enable();
  for (let edit = 0; edit < edits; edit += 1) {
    // Anywhere between two polls.
    await pause((edit * pollMs) / edits);
    const mapping = { ...roleMappingOf(edit * 1000), precedence: 1 };
    const { revision } = await table.write({
      id: mapping.id,
      expectedVersion: 1,
      mapping,
      actor: 'bench',
      reason: 'benchmark',
    });
    const writtenAt = performance.now();
    // The policy follows by itself, as on every instance but the one that made the edit.
    while (policy.current().revision < revision) await pause(1);
    lagsMs.push(performance.now() - writtenAt);
  }
  delay.disable();
  console.log(
    `Edit to effect among ${manyRows} rows, polled every ${pollMs / 1000} s: median ${milliseconds(medianOf(lagsMs))}, ` +
      `at most ${milliseconds(Math.max(...lagsMs))}; other requests waited ${milliseconds(delay.max / 1e6)} at most`,
  );
}

function medianOf(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

function pause(ms) {
  return new Promise((done) => setTimeout(done, ms));
}

function milliseconds(value) {
  return `${value.toFixed(0)} ms`;
}
