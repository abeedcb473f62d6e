/**
 * `npm run bench:edits`: 50 administrators edit role mappings at once, 200 times each, at two brokers on one table.
 * Two share each mapping: each reads it, adds one to what it read, and starts over if the other was faster. Fails
 * if one edit is lost, in the mappings or in the change log.
 */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { startBrokerUnderTest } from './broker-under-test.js';

const writers = 50;
const editsEach = 200;
const mappings = writers / 2;

const directory = mkdtempSync(join(tmpdir(), 'token-broker-bench-'));
const broker = await startBrokerUnderTest({ directory, callers: mappings, stsLatencyMs: 0 });
try {
  const admins = [broker.admin, await broker.addReplica()];
  await main(admins);
} finally {
  await broker.stop();
  rmSync(directory, { recursive: true, force: true });
}

async function main(admins) {
  console.error(`${writers} writers make ${editsEach} edits each …`);
  const startedAt = performance.now();
  const seen = { conflicts: 0 };
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      const url = admins[writer % admins.length];
      const path = `/v1/role-mappings/bench-${Math.floor(writer / 2)}`;
      for (let edits = 0; edits < editsEach; edits += 1) await addOne(url + path, seen);
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const total = writers * editsEach;
  await assertNoneLost(admins[0], total);
  console.log(
    `${total} edits of ${mappings} role mappings by ${writers} writers at ${admins.length} brokers: none lost; ` +
      `${seconds.toFixed(0)} s, ${(total / seconds).toFixed(0)} edits/s; ${seen.conflicts} repeated after 412`,
  );
}

async function assertNoneLost(url, total) {
  for (let index = 0; index < mappings; index += 1) {
    const { body } = await send(`${url}/v1/role-mappings/bench-${index}`);
    const expected = total / mappings;
    assert.deepEqual([body.mapping.description, body.version], [String(expected), expected + 1]);
  }
  const { body } = await send(`${url}/v1/changes?since=${total + mappings - 1}`);
  assert.deepEqual([body.revision, body.items.length], [total + mappings, 1]);
}

async function addOne(url, seen) {
  for (;;) {
    const { body, etag } = await send(url);
    const mapping = { ...body.mapping, description: String(Number(body.mapping.description) + 1) };
    const { status } = await send(url, {
      method: 'PUT',
      headers: { 'if-match': etag, 'change-reason': 'one more' },
      body: JSON.stringify(mapping),
    });
    if (status === 200) return;
    assert.equal(status, 412);
    seen.conflicts += 1;
  }
}

async function send(url, { method = 'GET', headers = {}, body } = {}) {
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${broker.token(0)}`,
      'content-type': 'application/json',
      ...headers,
    },
    body,
  });
  return {
    status: response.status,
    etag: response.headers.get('etag'),
    body: await response.json(),
  };
}
