import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { errorCodes } from '../../src/core/errors.ts';
import { denyReasons } from '../../src/core/policy/deny-reasons.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { contract } from '../support/contract.ts';
import { readDocument, tableRows } from '../support/markdown.ts';
import { sendRaw } from '../support/raw-http.ts';
import { selfSigned } from '../support/self-signed.ts';

const document = readDocument('metrics.md');
const documented = new Map(
  tableRows(document, '| metric | type | labels | meaning |').map(
    ([name = '', type = '', labels = '']) => [
      unquoted(name)[0] ?? '',
      { type, labels: new Set(unquoted(labels)) },
    ],
  ),
);

function unquoted(text: string): readonly string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');
}

/** The metrics page of a broker in which a bit of everything has happened. */
let page = '';
let broker: BrokerFixture;
beforeAll(async () => {
  broker = await startBrokerFixture({
    // A policy that cannot be kept for the next start raises an alarm.
    configure: (config) => {
      const blocked = `${String(config.audit.directory)}-blocked`;
      writeFileSync(blocked, '');
      const { cert, key } = selfSigned('broker');
      const tls = { certFile: `${blocked}.crt`, keyFile: `${blocked}.key` };
      writeFileSync(tls.certFile, cert);
      writeFileSync(tls.keyFile, key);
      const { privateKey } = generateKeyPairSync('ed25519');
      const keyFile = `${blocked}.pem`;
      writeFileSync(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
      const s3 = {
        bucket: 'evidence',
        bucketOwner: '111122223333',
        region: 'us-east-1',
        // Nobody is there.
        endpoint: 'http://127.0.0.1:1',
        retentionDays: 1,
      };
      return {
        ...config,
        audit: { ...config.audit, checkpoints: { origin: 'example.com/audit', keyFile, s3 } },
        listeners: { ...config.listeners, admin: { port: 0, tls } },
        policy: {
          ...config.policy,
          snapshotFile: `${blocked}/policy.json`,
          emergencyFile: `${blocked}.denies`,
        },
      };
    },
  });
  await broker.issue('orders');
  await broker.issue('orders');
  await broker.issue('stranger');
  await broker.call({ path: '/nowhere' });
  await sendRaw(broker.urls.api, 'GARBAGE\r\n\r\n');
  const { metrics } = broker;
  for (const name of ['snapshot_file_unwritable', 'audit_checkpoint_sequence']) {
    while (![...(await metrics()).keys()].some((series) => series.includes(name)));
  }
  page = (await broker.call({ listener: 'ops', path: '/metrics' })).text;
});
afterAll(() => broker.stop());

const types = () =>
  new Map([...page.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map((match) => [match[1], match[2]]));

/** Of all series: the metric's name, and its labels but for those of the format itself. */
function* samples(): Generator<readonly [metric: string, labels: ReadonlyMap<string, string>]> {
  for (const [, series = '', labels = ''] of page.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
    const histogram = series.replace(/_(?:bucket|sum|count)$/, '');
    const metric = types().get(histogram) === 'histogram' ? histogram : series;
    const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)];
    yield [
      metric,
      new Map(
        pairs
          .map(([, name = '', value = '']) => [name, value] as const)
          .filter(([name]) => name !== 'le'),
      ),
    ];
  }
}

const ours = (name: string | undefined) => name?.startsWith('tokenbroker_') === true;

describe('docs/metrics.md', () => {
  it('has every metric of the service with its type, and no other', () => {
    const exposed = [...types()].filter(([name]) => ours(name));
    expect(new Map([...documented].map(([name, { type }]) => [name, type]))).toEqual(
      new Map(exposed),
    );
  });

  it('has the labels of every metric', () => {
    const seen = new Map<string, Set<string>>();
    for (const [metric, labels] of samples()) {
      if (ours(metric)) seen.set(metric, new Set(labels.keys()));
    }
    expect(seen).toEqual(new Map([...documented].map(([name, { labels }]) => [name, labels])));
  });

  it('names every metric that prom-client adds', () => {
    const others = [...types().keys()].filter((name) => !ours(name));
    expect(others.filter((name) => !document.includes(`\`${name}\``))).toEqual([]);
  });

  it('keeps to closed sets of label values', () => {
    const rows = tableRows(document, '| label | values |');
    const listed = new Map(
      rows.map(([label = '', values = '']) => [unquoted(label)[0] ?? '', unquoted(values)]),
    );
    const allowed: Readonly<Record<string, readonly string[]>> = {
      ...Object.fromEntries(listed),
      route: [...Object.keys(contract.paths), 'GET /v1/credentials', 'unmatched'],
      code: [...Object.keys(errorCodes), 'pipelining', 'crowded_out', 'answer_unread'],
      reason: [...denyReasons, 'none'],
      region: ['us-east-1'],
      pool: ['us-east-1_Test00001'],
    };
    const elsewhere = ['event', 'kind', 'result', 'version', 'revision', 'node'];
    const seen = [...samples()].flatMap(([metric, labels]) => (ours(metric) ? [...labels] : []));
    const unknown = seen
      .filter(([label]) => !elsewhere.includes(label))
      .filter(([label, value]) => allowed[label]?.includes(value) !== true);
    expect(unknown).toEqual([]);
    const labels = new Set([...documented.values()].flatMap((it) => [...it.labels]));
    expect(new Set([...listed.keys(), ...elsewhere])).toEqual(labels);
  });
});
