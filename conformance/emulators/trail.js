/**
 * moto's S3, SQS and SNS under `token-broker cloudtrail`: a trail in a bucket with two keys in a page, notifications that moto writes itself, straight
 * into the queue and by a topic, and beside them messages that nobody should send. Nothing of it is in this process: commands put it there.
 */

import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { sealRecords, startChain } from '../../dist/audit/hash-chain.js';
import { outcomeOf, run } from '../commands.js';
import { startDaemon, waitFor } from '../daemon.js';
import { freePorts } from '../free-ports.js';
import { motoKeys, motoTools, withMoto } from './moto-server.js';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const timeoutMs = 180_000;
const region = 'us-east-1';
const account = '123456789012';
const role = `arn:aws:iam::${account}:role/broker/orders-writer`;
const bucket = 'org-trail';
const prefix = 'AWSLogs/o-1/';
const below = (name) => `${prefix}${account}/CloudTrail/${region}/${name}.json.gz`;
const url = (key) => `s3://${bucket}/${key}`;
const minuteMs = 60_000;

export const trail = {
  name: 'trail',
  tools: motoTools,
  async run({ directory, say }) {
    const settings = { MOTO_S3_DEFAULT_MAX_KEYS: '2' };
    return await withMoto({ directory, say, settings }, ({ url: endpoint, env }) =>
      follow({ endpoint, env, directory, say }),
    );
  },
};

async function follow({ endpoint, env, directory, say }) {
  // The CLI asks SQS elsewhere than AWS_ENDPOINT_URL says.
  const aws = (...args) =>
    run('aws', ['--endpoint-url', endpoint, ...args], { cwd: directory, env, timeoutMs });
  const now = Date.now();
  const audit = writeLog(directory, now - 60 * minuteMs);
  const put = async (key, ...records) => {
    const file = join(directory, 'trail.json.gz');
    writeFileSync(file, gzipSync(JSON.stringify({ Records: records })));
    await aws('s3', 'cp', '--no-progress', file, url(key));
  };
  const session = (id) => sessionEvent(id, now - 30 * minuteMs);

  const queue = await notifiedQueue(aws);
  await put(below('honest'), session('HONEST'));
  await put(below('by queue +é'), session('QUEUE'));
  await put(below('topic-1'), session('TOPIC'));
  for (const name of ['a', 'b', 'c']) await put(below(`calls-${name}`), { eventTime: iso(now) });
  await put('AWSLogs/o-1/Elsewhere.txt');
  await put('AWSLogs/o-2/other.json.gz', session('OTHERS'));
  const command = ['--audit', audit, '--trail', url(prefix)];
  const places = ['--region', region, '--s3-endpoint', endpoint];

  const { out, all } = await outcomeOf(
    process.execPath,
    [main, 'cloudtrail', 'check', ...command, ...places, '--audit-until', iso(now)],
    { cwd: directory, env: motoKeys, timeoutMs },
  );
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(bypassesIn(lines), ['ASIAQUEUE', 'ASIATOPIC'], all);
  assert.equal(lines.at(-1).events, 6, all);
  say('cloudtrail check: page by page, and names both bypasses');

  const strangers = strangeMessages(session);
  for (const body of strangers.refused.concat(strangers.absent)) {
    const file = join(directory, 'message.txt');
    writeFileSync(file, body);
    await aws('sqs', 'send-message', '--queue-url', queue, '--message-body', `file://${file}`);
  }
  const [port] = await freePorts(1);
  const logFile = join(directory, 'watch.log');
  rmSync(logFile, { force: true });
  rmSync(join(directory, 'state.json'), { force: true });
  const args = [...command, ...places, '--queue', queue, '--state', join(directory, 'state.json')];
  const watcher = startDaemon(
    process.execPath,
    [main, 'cloudtrail', 'watch', ...args, '--audit-lag', '0s', '--port', String(port)],
    { logFile, env: motoKeys },
  );
  try {
    const left = async () => {
      const { Attributes: counts } = JSON.parse(
        await aws('sqs', 'get-queue-attributes', '--queue-url', queue, '--attribute-names', 'All'),
      );
      const { ApproximateNumberOfMessages: a, ApproximateNumberOfMessagesNotVisible: b } = counts;
      return Number(a) + Number(b);
    };
    const otherwise = 'the watcher did not empty the queue';
    const isEmpty = async () => (await left()) === 0;
    await waitFor(isEmpty, { daemons: [watcher], otherwise, timeoutMs });
    const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const series = (name) =>
      Number(new RegExp(`^tokenbroker_cloudtrail_${name} (.*)$`, 'm').exec(page)?.[1]);
    const found = watcher
      .said()
      .split('\n')
      .filter((line) => line.startsWith('{"type":"finding"'))
      .map((line) => JSON.parse(line));
    assert.deepEqual(bypassesIn(found), ['ASIAQUEUE', 'ASIATOPIC'], watcher.said());
    assert.deepEqual(
      [series('refused_messages_total'), series('unreadable_total'), series('events_total')],
      [strangers.refused.length, strangers.absent.length, 6],
      watcher.said(),
    );
  } finally {
    await watcher.stop();
  }
  say('cloudtrail watch: both bypasses by notifications of moto, and the queue is empty');
  return `2 bypasses by check and by watch; ${strangers.refused.length} strange messages refused, ${strangers.absent.length} of a file that is not there`;
}

/** Told by the bucket itself of what is below the trail, and by a topic of what has another name; the test event of S3 is in it as well. */
async function notifiedQueue(aws) {
  const text = async (...args) => (await aws(...args, '--output', 'text')).trim();
  const queue = await text('sqs', 'create-queue', '--queue-name', 'trail', '--query', 'QueueUrl');
  const topic = await text('sns', 'create-topic', '--name', 'trail', '--query', 'TopicArn');
  const queueArn = `arn:aws:sqs:${region}:${account}:trail`;
  const subscription = ['--protocol', 'sqs', '--notification-endpoint', queueArn];
  await aws('sns', 'subscribe', '--topic-arn', topic, ...subscription);
  await aws('s3api', 'create-bucket', '--bucket', bucket);
  const about = (start) => ({
    Events: ['s3:ObjectCreated:*'],
    Filter: { Key: { FilterRules: [{ Name: 'prefix', Value: `${prefix}${start}` }] } },
  });
  const folder = `${account}/CloudTrail/${region}/`;
  const names = ['honest', 'by', 'calls'];
  const notifications = {
    QueueConfigurations: names.map((name) => ({ QueueArn: queueArn, ...about(folder + name) })),
    TopicConfigurations: [{ TopicArn: topic, ...about(`${folder}topic`) }],
  };
  const given = ['--bucket', bucket, '--notification-configuration', JSON.stringify(notifications)];
  await aws('s3api', 'put-bucket-notification-configuration', ...given);
  return queue;
}

function strangeMessages(session) {
  const named = (name, key) => JSON.stringify({ s3Bucket: name, s3ObjectKey: [key] });
  return {
    refused: [
      'no JSON',
      '{"Records":',
      JSON.stringify({ Records: [session('FORGED')] }),
      JSON.stringify({ Type: 'Notification', Message: { toString: 1 } }),
      named('a-bucket-of-somebody', below('a')),
      named(bucket, 'AWSLogs/o-2/other.json.gz'),
      named(bucket, below('../../../../o-2/other')),
    ],
    absent: [named(bucket, below('gone'))],
  };
}

function writeLog(directory, startsAt) {
  const folder = join(directory, 'audit');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const { requestID, requestParameters } = sessionEvent('HONEST', startsAt);
  const issued = {
    type: 'exchange',
    time: iso(startsAt + 30 * minuteMs),
    outcome: 'issued',
    mapping: { id: 'orders-writer', version: 1 },
    session: { role, name: requestParameters.roleSessionName, durationSeconds: 3600 },
    credentials: {
      cached: false,
      accessKeyId: 'ASIAHONEST',
      stsRequestId: requestID,
      expiration: iso(startsAt + 90 * minuteMs),
    },
  };
  const records = [{ type: 'audit_opened', time: iso(startsAt) }, issued];
  const texts = records.map((record) => JSON.stringify(record).slice(1, -1));
  writeFileSync(join(folder, 'audit.jsonl'), sealRecords(startChain(), texts).text);
  return folder;
}

function sessionEvent(id, time) {
  return {
    eventTime: iso(time),
    eventSource: 'sts.amazonaws.com',
    eventName: 'AssumeRoleWithWebIdentity',
    awsRegion: region,
    recipientAccountId: account,
    requestParameters: { roleArn: role, roleSessionName: 'orders', durationSeconds: 3600 },
    responseElements: { credentials: { accessKeyId: `ASIA${id}` } },
    requestID: `request-${id}`,
    eventID: `event-${id}`,
  };
}

function bypassesIn(lines) {
  return lines.flatMap((line) => (line.class === 'bypass' ? [line.accessKeyId] : [])).sort();
}

function iso(epochMs) {
  return new Date(epochMs).toISOString();
}
