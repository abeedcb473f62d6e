/**
 * `npm run bench:cloudtrail [-- --events 10000000]`: honest brokers, honest callers, and what CloudTrail has of them.
 * `cloudtrail check` must find nothing in it, and keep to its memory. One event in ten makes a session; each session has three
 * records, in the logs of three brokers; the trail has its events late, out of order and some of them twice.
 */

import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { sealRecords, startChain } from '../dist/audit/hash-chain.js';
import { note, printFigures } from './figures.js';
import { measuredCommand } from './measured-command.js';

const { values } = parseArgs({ options: { events: { type: 'string', default: '1000000' } } });
const events = Number(values.events);
const callsEach = 9;
const sessions = Math.floor(events / (callsEach + 1));
const recordsEach = 3;
const replicas = 3;
const eventsInFile = 5000;
const account = '123456789012';
const startsAt = Date.UTC(2026, 0, 1);
/** The sessions begin within a month. */
const stepMs = (30 * 86_400_000) / sessions;
const provider = `arn:aws:iam::${account}:oidc-provider/cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEf123`;

const directory = mkdtempSync(join(tmpdir(), 'token-broker-bench-'));
try {
  console.error(`${sessions * recordsEach} records of ${sessions} sessions, ${events} events …`);
  writeLogs(join(directory, 'audit'));
  writeTrail(join(directory, 'AWSLogs'));
  check();
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function check() {
  const [audit, trail] = [join(directory, 'audit'), join(directory, 'AWSLogs')];
  const words = ['cloudtrail', 'check', '--audit', audit, '--trail', trail];
  const { status, stdout, stderr, seconds, cpuSeconds, megabytes } = measuredCommand(words);
  const lines = stdout.trim().split('\n');
  if (status !== 0) console.error(lines.slice(0, 5).join('\n'), stderr);
  const summary = JSON.parse(lines.at(-1) || '{}');
  note('exit code of cloudtrail check', status ?? Number.NaN, { atMost: 0 });
  note('findings', lines.length - 1, { atMost: 0 });
  note('events read', summary.events ?? 0, { atLeast: sessions * (callsEach + 1) });
  note('sessions joined', summary.joined ?? 0, { atLeast: sessions });
  note('seconds', seconds);
  note('seconds of processor time', cpuSeconds);
  note('events a second', (summary.events ?? 0) / seconds);
  // What Node itself takes, two files of the trail, and a few bytes for each session.
  note('megabytes of memory at the most', megabytes, { atMost: 400 + sessions / 10_000 });
  if (!printFigures()) process.exitCode = 1;
}

function writeLogs(root) {
  for (let replica = 0; replica < replicas; replica += 1) {
    const folder = join(root, `pod-${replica}`);
    mkdirSync(folder, { recursive: true });
    const file = openSync(join(folder, 'audit.jsonl'), 'w');
    let head = startChain();
    let batch = [];
    const flush = () => {
      const sealed = sealRecords(head, batch);
      writeSync(file, sealed.text);
      head = sealed.head;
      batch = [];
    };
    for (let at = replica; at < sessions; at += replicas) {
      for (let again = 0; again < recordsEach; again += 1) batch.push(recordText(at, again));
      if (batch.length >= 3000) flush();
    }
    batch.push(
      JSON.stringify({ type: 'audit_opened', time: iso(startsAt + 31 * 86_400_000) }).slice(1, -1),
    );
    flush();
    closeSync(file);
  }
}

function recordText(at, again) {
  const session = sessionOf(at);
  const record = {
    type: 'exchange',
    time: iso(session.time + again * 1000),
    requestId: `request-${at}-${again}`,
    route: 'POST /v1/credentials',
    sourceIp: '10.1.2.3',
    peerIp: '10.0.0.7',
    userAgent: 'aws-sdk-js/3.1164.0 ua/2.1 os/linux#6.1 lang/js md/nodejs#20.19.0',
    outcome: 'issued',
    token: {
      sha256: session.digest,
      issuer: 'https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEf123',
      pool: 'us-east-1_AbCdEf123',
      clientId: session.name,
      subject: session.name,
      use: 'access',
    },
    request: {},
    policyRevision: 7,
    mapping: { id: `service-${at % 200}`, version: 3 },
    session: {
      role: session.role,
      name: session.name,
      durationSeconds: 3600,
      policySha256: session.digest,
    },
    credentials: {
      cached: again > 0,
      accessKeyId: session.accessKeyId,
      assumedRoleId: `AROAEXAMPLE:${session.name}`,
      stsRequestId: session.requestId,
      expiration: iso(session.time + 3_600_000),
    },
  };
  return JSON.stringify(record).slice(1, -1);
}

function sessionOf(at) {
  const digest = createHash('sha256').update(String(at)).digest('hex');
  return {
    digest,
    time: startsAt + Math.floor(at * stepMs),
    accessKeyId: `ASIA${digest.slice(0, 16).toUpperCase()}`,
    requestId: `${digest.slice(0, 8)}-0000-4000-8000-${digest.slice(8, 20)}`,
    role: `arn:aws:iam::${account}:role/broker/service-${at % 200}`,
    name: `4abc0exampleclientid${at % 1000}`,
  };
}

function writeTrail(root) {
  let records = [];
  let files = 0;
  const flush = () => {
    const region = files % 2 === 0 ? 'us-east-1' : 'eu-west-1';
    const folder = join(
      root,
      account,
      'CloudTrail',
      region,
      '2026',
      '01',
      String(1 + (files % 28)).padStart(2, '0'),
    );
    mkdirSync(folder, { recursive: true });
    const name = `${account}_CloudTrail_${region}_20260101T0000Z_${String(files).padStart(8, '0')}.json.gz`;
    // Out of order within a file, and by the folders.
    writeFileSync(
      join(folder, name),
      gzipSync(JSON.stringify({ Records: records.reverse() }), { level: 1 }),
    );
    records = [];
    files += 1;
  };
  for (let at = 0; at < sessions; at += 1) {
    const session = sessionOf(at);
    const made = sessionEvent(session);
    records.push(made);
    if (at % 50 === 0) records.push(made);
    for (let call = 0; call < callsEach; call += 1) records.push(callEvent(session, call));
    if (records.length >= eventsInFile) flush();
  }
  records.push({ ...callEvent(sessionOf(0), 0), eventTime: whole(startsAt + 31 * 86_400_000) });
  flush();
}

function sessionEvent({ time, accessKeyId, requestId, role, name, digest }) {
  return {
    eventVersion: '1.11',
    userIdentity: {
      type: 'WebIdentityUser',
      principalId: `${provider}:${name}:${name}`,
      userName: name,
      identityProvider: provider,
    },
    eventTime: whole(time),
    eventSource: 'sts.amazonaws.com',
    eventName: 'AssumeRoleWithWebIdentity',
    awsRegion: 'us-east-1',
    sourceIPAddress: '198.51.100.7',
    userAgent: 'aws-sdk-js/3.1164.0 ua/2.1 os/linux#6.1 lang/js md/nodejs#24.1.0 api/sts',
    requestParameters: { roleArn: role, roleSessionName: name, durationSeconds: 3600 },
    responseElements: {
      credentials: {
        accessKeyId,
        sessionToken: digest.repeat(12),
        expiration: 'Jan 15, 2026, 1:46:56 PM',
      },
      subjectFromWebIdentityToken: name,
      assumedRoleUser: { assumedRoleId: `AROAEXAMPLE:${name}`, arn: `${role}/${name}` },
      provider,
      audience: name,
    },
    requestID: requestId,
    eventID: `event-${accessKeyId}`,
    readOnly: true,
    resources: [{ accountId: account, type: 'AWS::IAM::Role', ARN: role }],
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: account,
    eventCategory: 'Management',
    tlsDetails: {
      tlsVersion: 'TLSv1.3',
      cipherSuite: 'TLS_AES_128_GCM_SHA256',
      clientProvidedHostHeader: 'sts.us-east-1.amazonaws.com',
    },
  };
}

function callEvent({ time, accessKeyId, role, name, digest }, call) {
  return {
    eventVersion: '1.11',
    userIdentity: {
      type: 'AssumedRole',
      principalId: `AROAEXAMPLE:${name}`,
      arn: `${role}/${name}`,
      accountId: account,
      accessKeyId,
      sessionContext: {
        sessionIssuer: {
          type: 'Role',
          principalId: 'AROAEXAMPLE',
          arn: role,
          accountId: account,
          userName: 'service',
        },
        webIdFederationData: { federatedProvider: provider, attributes: {} },
        attributes: { creationDate: whole(time), mfaAuthenticated: 'false' },
      },
    },
    eventTime: whole(time + call * 60_000),
    eventSource: 'dynamodb.amazonaws.com',
    eventName: 'DescribeTable',
    awsRegion: 'eu-west-1',
    sourceIPAddress: '198.51.100.9',
    userAgent: 'aws-sdk-js/3.1164.0 ua/2.1 os/linux#6.1 lang/js md/nodejs#24.1.0 api/dynamodb',
    requestParameters: { tableName: 'orders' },
    responseElements: null,
    requestID: `${digest.slice(0, 32)}${call}`,
    eventID: `${digest.slice(32, 60)}${call}`,
    readOnly: true,
    resources: [
      {
        accountId: account,
        type: 'AWS::DynamoDB::Table',
        ARN: `arn:aws:dynamodb:eu-west-1:${account}:table/orders`,
      },
    ],
    eventType: 'AwsApiCall',
    apiVersion: '2012-08-10',
    managementEvent: true,
    recipientAccountId: account,
    eventCategory: 'Management',
  };
}

function iso(time) {
  return new Date(time).toISOString();
}

function whole(time) {
  return `${iso(time).slice(0, 19)}Z`;
}
