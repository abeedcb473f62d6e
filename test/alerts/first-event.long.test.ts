/**
 * The first event of its kind, on a broker that runs as a process and is scraped by a real Prometheus, is an alert.
 * Others are in the files beside this one; those that are promtool's alone are in test/docs/alert-cases.test.ts, each with a reason.
 */

import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { defaultGuardrails } from '../../src/core/policy/guardrails.ts';
import { roleMappingSchema } from '../../src/core/policy/role-mapping.ts';
import { RoleMappingTable } from '../../src/dynamodb/role-mapping-table.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { alerts } from '../support/alert-rules.ts';
import { brokerConfig, seededTable } from '../support/broker-fixture.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import {
  allow,
  type ClientName,
  clients,
  defaultMappings,
  type OutsideWorld,
  roleNamed,
  startOutsideWorld,
} from '../support/outside-world.ts';
import { type Prometheus, startPrometheus } from '../support/prometheus.ts';
import { sendRaw } from '../support/raw-http.ts';
import { selfSigned } from '../support/self-signed.ts';

const directory = mkdtempSync(join(tmpdir(), 'token-broker-alerts-'));
const audit = join(directory, 'audit');
const mappings = [
  ...defaultMappings,
  allow('frozen', 'stranger'),
  allow('freeze', 'stranger', { effect: 'deny', role: roleNamed('frozen') }),
];
const certificate = join(directory, 'admin.crt');
const emergencyFile = join(directory, 'denies.yaml');
const silentPool = 'us-east-1_Silent001';
let outside: OutsideWorld;
let seeded: Awaited<ReturnType<typeof seededTable>>;
let broker: BrokerProcess;
let prometheus: Prometheus;
/** What was started, also where a later step failed. */
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  const roles = [...new Set(mappings.map(({ role }) => role))];
  outside = await startOutsideWorld({ clock: systemClock, users: [], roles, stsLatencyMs: 0 });
  ends.push(() => outside.stop());
  seeded = await seededTable(outside, systemClock, mappings);
  ends.push(() => seeded.client.destroy());
  const snapshotFile = join(directory, 'snapshot.json');
  writeFileSync(snapshotFile, 'cut off', { mode: 0o600 });
  const config = brokerConfig(outside, directory);
  const tls = { certFile: certificate, keyFile: join(directory, 'admin.key') };
  const { cert, key } = selfSigned('admin', { notAfter: inHours(12) });
  writeFileSync(tls.certFile, cert);
  writeFileSync(tls.keyFile, key, { mode: 0o600 });
  const nobody = 'http://127.0.0.1:1/silent';
  broker = await startBrokerProcess(directory, {
    ...config,
    listeners: { ...config.listeners, admin: { port: 0, tls } },
    // One call that is not answered is a slow request, and no failed one.
    sts: { ...config.sts, requestTimeoutMs: 3_000 },
    limits: { ...config.limits, perCaller: { perSecond: 1, burst: 600 } },
    identity: {
      ...config.identity,
      userPools: [
        ...(config.identity.userPools ?? []),
        {
          pool: silentPool,
          issuer: nobody,
          jwksUri: nobody,
          clients: ['7silent0example0client0id'],
        },
      ],
    },
    policy: { ...config.policy, snapshotFile, reloadSeconds: 10, emergencyFile },
    cache: { maxEntries: 1 },
  });
  ends.push(() => {
    broker.signal('SIGKILL');
    return broker.exit;
  });
  prometheus = await startPrometheus(join(directory, 'prometheus'), broker.urls.ops);
  ends.push(() => prometheus.stop());
  // Something to compare with: what comes next is an event of a series that Prometheus knows.
  await issue('orders');
  const issued = 'sum(tokenbroker_credential_requests_total{outcome="issued"}) >= 1';
  while ((await prometheus.query(issued)).length === 0);
  // Refused every five seconds from now on: the alert comes while other things happen.
  writeFileSync(certificate, 'cut off');
});

/** As certificates have it: `YYMMDDhhmmssZ`. */
function inHours(hours: number): string {
  const time = new Date(systemClock.now() + hours * 3_600_000).toISOString();
  return `${time.slice(2, 19).replaceAll(/[-:T]/g, '')}Z`;
}

afterAll(async () => {
  for (const end of ends.reverse()) await end();
  rmSync(directory, { recursive: true, force: true });
});

async function ask(token: string, wanted: Wanted = {}): Promise<void> {
  const answer = await fetch(`${broker.urls.api}/v1/credentials`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(wanted),
  });
  await answer.arrayBuffer();
}

interface Wanted {
  readonly role?: string;
  readonly durationSeconds?: number;
}

function issue(client: ClientName, role?: string): Promise<void> {
  return ask(tokenOf(client), role === undefined ? {} : { role });
}

function tokenOf(client: ClientName): string {
  return outside.issuer.issueAccessToken({ clientId: clients[client].clientId });
}

/** By the clock of that machine, the edit was made ten seconds ago; and it may match what the broker may not. */
function editedElsewhere(): Promise<unknown> {
  const elsewhere = new RoleMappingTable({
    client: seeded.client,
    tableName: 'role-mappings',
    rules: { matchableClaims: new Set(['custom:team']), guardrails: defaultGuardrails },
    clock: { ...systemClock, now: () => systemClock.now() - 10_000 },
  });
  const claims = { 'custom:team': ['payments'] };
  const mapping = roleMappingSchema.parse(
    allow('elsewhere', 'stranger', { conditions: { claims } }),
  );
  const why = { actor: 'test', reason: 'made for a test' };
  return elsewhere.write({ id: mapping.id, expectedVersion: 'absent', mapping, ...why });
}

/** No more than 20 at a time. */
async function times(count: number, work: () => Promise<unknown>): Promise<void> {
  let left = count;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      await work();
    }
  };
  await Promise.all(Array.from({ length: 20 }, worker));
}

type Event = readonly [
  what: string,
  cause: () => unknown,
  alerts: readonly (readonly [name: string, labels?: Readonly<Record<string, string>>])[],
];

const kind = (name: string) => ({ kind: name });

/** In this order: the later ones leave a broker that the earlier ones could not do with. */
const firstEvents: readonly Event[] = [
  [
    'an answer of STS that cannot be trusted',
    async () => {
      const body = { status: 200, contentType: 'text/html', body: '<html>' };
      outside.sts.setFault({ kind: 'body', ...body });
      await issue('reports', 'reports-reader');
      outside.sts.setFault(undefined);
    },
    [
      ['TokenBrokerStsAnswersUntrusted', { region: 'us-east-1' }],
      ['TokenBrokerFailing'],
      ['TokenBrokerFailingSlowly'],
    ],
  ],
  [
    'an exchange that STS throttles',
    async () => {
      const error = { status: 400, code: 'Throttling', message: 'Rate exceeded' };
      outside.sts.setFault({ kind: 'error', ...error });
      await issue('reports', 'reports-reader');
      outside.sts.setFault(undefined);
    },
    [['TokenBrokerStsThrottled', { region: 'us-east-1' }]],
  ],
  [
    'a session that makes room for another',
    async () => {
      await issue('orders');
      await issue('reports', 'reports-reader');
      await issue('orders');
    },
    [['TokenBrokerCacheTooSmall']],
  ],
];

const laterEvents: readonly Event[] = [
  [
    'an edit that comes late, and cannot be used',
    editedElsewhere,
    [['TokenBrokerEditsSlow'], ['TokenBrokerRowQuarantined']],
  ],
  [
    'a configuration that the broker would not start with',
    () => {
      writeFileSync(join(directory, 'config.yaml'), 'profile: none');
      broker.signal('SIGHUP');
    },
    [['TokenBrokerConfigNotReloaded']],
  ],
  [
    'a row that no change explains',
    () =>
      seeded.client.send(
        new PutItemCommand({
          TableName: 'role-mappings',
          Item: { pk: { S: 'MAPPING#ghost' }, sk: { S: 'CURRENT' }, document: { S: '{}' } },
        }),
      ),
    [
      ['TokenBrokerTableTampered', kind('unexplained_rows')],
      ['TokenBrokerPolicyAlarm', kind('unexplained_rows')],
    ],
  ],
  [
    'somebody who keeps asking for what is denied',
    () => times(400, () => issue('stranger', 'frozen')),
    [['TokenBrokerFrozenCallerAsks']],
  ],
  [
    'a caller who does not stop',
    () => times(900, () => issue('stranger', 'frozen')),
    [['TokenBrokerCallersLimited', { limit: 'caller' }]],
  ],
  [
    'a flood of tokens that are none',
    () => times(800, () => ask('none')),
    [['TokenBrokerTokensRefused', { code: 'token_malformed' }]],
  ],
  [
    'connections that speak no HTTP',
    () => times(700, () => sendRaw(broker.urls.api, 'GARBAGE\r\n\r\n')),
    [['TokenBrokerListenersProbed', { listener: 'api' }]],
  ],
  [
    'clients that speak no TLS to who does',
    () => times(700, () => sendRaw(broker.urls.admin ?? '', 'GET / HTTP/1.1\r\n\r\n')),
    [['TokenBrokerHandshakesFail', { listener: 'admin', failure: 'plain_http' }]],
  ],
  [
    'an audit log that somebody empties',
    async () => {
      truncateSync(join(audit, 'audit.jsonl'));
      await issue('orders');
    },
    // What came with the write that found it was refused.
    [['TokenBrokerAuditChanged'], ['TokenBrokerAuditNotKept', { sink: 'file' }]],
  ],
  [
    'an emergency file that cannot be read',
    () => writeFileSync(emergencyFile, 'denies: everybody', { mode: 0o600 }),
    [['TokenBrokerEmergencyFileUnusable']],
  ],
  [
    'a broker that is gone',
    async () => {
      broker.signal('SIGKILL');
      await broker.exit;
    },
    [['TokenBrokerDown', { namespace: 'test' }]],
  ],
];

const inTime = 60_000;

it(
  'what happened before the first scrape is an alert (T192)',
  async () => {
    await prometheus.fires('TokenBrokerPolicyAlarm', kind('snapshot_file_unusable'));
    await prometheus.fires('TokenBrokerKeysNeverFetched', { pool: silentPool });
    await prometheus.fires('TokenBrokerCertificateEndsSoon', { listener: 'admin' });
    await prometheus.fires('TokenBrokerCertificateEnds', { listener: 'admin' });
  },
  inTime,
);

const title = '%s is an alert at its first event (T192)';

it.each(firstEvents)(title, isAnAlert, inTime);

// A busy machine is that slow by itself: that it was quiet before is promtool's to show.
it(
  'a call to STS that is not answered is an alert (T192)',
  async () => {
    outside.sts.setFault({ kind: 'hang', times: 1 });
    await ask(tokenOf('reports'), { role: 'reports-publisher', durationSeconds: 1_000 });
    await prometheus.fires('TokenBrokerSlow');
  },
  inTime,
);

it.each(laterEvents)(title, isAnAlert, inTime);

async function isAnAlert(...[, cause, expected]: Event): Promise<void> {
  const before = await prometheus.firing();
  const early = expected.filter(([name, labels = {}]) =>
    before.some(
      (alert) =>
        alert.labels['alertname'] === name &&
        Object.entries(labels).every(([label, value]) => alert.labels[label] === value),
    ),
  );
  expect(early).toEqual([]);

  await cause();

  for (const [name, labels] of expected) await prometheus.fires(name, labels);
}

it(
  'files for TLS that stay unusable are an alert (T192)',
  () => prometheus.fires('TokenBrokerTlsFilesRefused', { listener: 'admin' }),
  inTime,
);

it('those that fire say where to read on', async () => {
  for (const { labels, annotations } of await prometheus.firing()) {
    const alert = alerts.find((one) => one.alert === labels['alertname']);
    expect(annotations).toEqual(alert?.annotations);
  }
});
