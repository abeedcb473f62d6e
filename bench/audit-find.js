/**
 * `npm run bench:find [-- --records 2000000]`: a year of records in files as a broker rotates them, and the two questions that cannot wait: who had these
 * keys, and what happened in that hour. What counts is the time of the processor, start included: on a machine that does nothing else it is the time
 * that somebody waits.
 */

import { closeSync, mkdtempSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sealRecords, startChain } from '../dist/audit/hash-chain.js';
import { note, printFigures } from './figures.js';
import { measuredCommand } from './measured-command.js';

const { values } = parseArgs({ options: { records: { type: 'string', default: '2000000' } } });
const total = Number(values.records);
/** Some 64 MiB, the default of `audit.rotateBytes`. */
const inFile = 60_000;
const batch = 5_000;
const startsAt = Date.UTC(2025, 0, 1);
const stepMs = (365 * 86_400_000) / total;
const asked = Math.floor(total * 0.7);

const directory = mkdtempSync(join(tmpdir(), 'token-broker-bench-'));
try {
  console.error(`${total} records …`);
  writeLog();
  const hour = { since: iso(timeOf(asked)), until: iso(timeOf(asked) + 3_600_000) };
  search('an access key', ['--access-key-id', keyOf(asked)], { records: 1, atMost: 1.5 });
  search('an hour', ['--since', hour.since, '--until', hour.until], {
    records: Math.floor(3_600_000 / stepMs),
    atMost: 1,
  });
} finally {
  rmSync(directory, { recursive: true, force: true });
}
if (!printFigures()) process.exitCode = 1;

function search(what, filters, { records, atMost }) {
  const words = ['audit', 'find', '--directory', directory, '--json', ...filters];
  const { status, stdout, stderr, seconds, cpuSeconds, megabytes } = measuredCommand(words);
  if (status !== 0) throw new Error(`audit find ended with ${status}: ${stderr}`);
  note(`${what}: records found`, stdout.split('\n').length - 1, { atLeast: records });
  note(`${what}: seconds of processor time`, cpuSeconds, { atMost });
  note(`${what}: seconds`, seconds);
  note(`${what}: megabytes of memory at the most`, megabytes, { atMost: 300 });
}

function writeLog() {
  let head = startChain();
  let from = 0;
  while (from < total) {
    const current = join(directory, 'audit.jsonl');
    const file = openSync(current, 'w');
    const end = Math.min(total, from + inFile);
    const first = head.seq + 1;
    for (; from < end; from += batch) {
      const texts = Array.from({ length: Math.min(batch, end - from) }, (_, at) => text(from + at));
      const sealed = sealRecords(head, texts);
      writeSync(file, sealed.text);
      head = sealed.head;
    }
    closeSync(file);
    if (from < total) renameSync(current, join(directory, `audit-${pad(first, 12)}.jsonl`));
  }
}

/** An exchange, as long as they are. */
function text(at) {
  const time = iso(timeOf(at));
  const id = pad(at, 12);
  return `"type":"exchange","time":"${time}","requestId":"0b5a9f0e-0000-4000-8000-${id}","route":"POST /v1/credentials","sourceIp":"10.1.2.3","peerIp":"10.0.0.7","userAgent":"aws-sdk-js/3.1164.0 ua/2.1 os/linux#6.1 lang/js md/nodejs#20.19.0","outcome":"issued","token":{"sha256":"${'a'.repeat(52)}${id}","issuer":"https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEf123","pool":"us-east-1_AbCdEf123","clientId":"4abc0exampleclientid","subject":"4abc0exampleclientid","use":"access"},"request":{},"policyRevision":7,"mapping":{"id":"service-${at % 200}","version":3},"session":{"role":"arn:aws:iam::123456789012:role/broker/service-${at % 200}","name":"4abc0exampleclientid","durationSeconds":3600},"credentials":{"cached":false,"accessKeyId":"${keyOf(at)}","assumedRoleId":"AROAEXAMPLEEXAMPLE00:4abc0exampleclientid","stsRequestId":"c0ffee00-0000-4000-8000-${id}","expiration":"${time}"}`;
}

function timeOf(at) {
  return startsAt + Math.floor(at * stepMs);
}

function keyOf(at) {
  return `ASIA${pad(at, 16)}`;
}

function pad(number, width) {
  return String(number).padStart(width, '0');
}

function iso(time) {
  return new Date(time).toISOString();
}
