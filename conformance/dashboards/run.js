/**
 * `npm run dashboards`: the pictures of docs/metrics.md. Three brokers under load, to which things happen; a Prometheus that
 * scrapes them with the rules that operators are given; each panel's query, asked over that time. Loopback only.
 */

import { strict as assert } from 'node:assert';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { startKmsServer } from '../../build/emulators/kms/kms-server.js';
import { Administrator } from '../../build/faults/administrator.js';
import { runLoad, Turnstile } from '../../build/faults/load.js';
import { ownTrustPolicy, startOwnIdentity } from '../../build/faults/own-identity.js';
import {
  clientIdOf,
  mappingOf,
  pool,
  region,
  roleNamed,
  startWorld,
  writeMapping,
} from '../../build/faults/world.js';
import { interrupt, versionOf } from '../commands.js';
import { startDaemon } from '../daemon.js';
import { Fleet } from '../fleet.js';
import { freePorts } from '../free-ports.js';
import { thisTree } from '../release.js';
import { dashboardSvg } from './plot.js';

const fromRoot = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const dashboards = fromRoot('k8s/components/dashboards/');
const pictures = fromRoot('docs/images/');
const places = ['a', 'b', 'c'];
const stepSeconds = 4;
const rateInterval = '20s';
const maxBytes = 100_000;

process.once('SIGINT', interrupt);
process.once('SIGTERM', interrupt);
if (versionOf('prometheus', ['--version']) === undefined) {
  console.log('npm run dashboards NOT RUN: no prometheus');
  process.exitCode = 1;
} else await drawAll();

async function drawAll() {
  const directory = mkdtempSync(join(tmpdir(), 'token-broker-dashboards-'));
  const started = [];
  const begun = async (part) => {
    started.push(await part);
    return started.at(-1);
  };
  try {
    const world = await begun(startWorld({ stsLatencyMs: 15 }));
    const notary = await begun(startKmsServer('p256'));
    const identity = await begun(startOwnIdentity());
    const emergencyFile = join(directory, 'denies.yaml');
    identity.forgottenBy(world);
    world.sts.putRole({ arn: roleNamed('late'), trustPolicy: ownTrustPolicy(identity.issuer) });
    // A caller whose sessions are made with a token that the broker issues.
    const late = mappingOf('late', 'operator');
    await writeMapping(world.table, { ...late, session: { ...late.session, identity: 'broker' } });
    const kms = { keyId: 'alias/conformance', region, endpoint: notary.endpoint };
    const fleet = await begun(
      new Fleet(world, directory, {
        policy: { emergencyFile, reloadSeconds: 10 },
        audit: { checkpoints: { origin: 'example.com/audit', kms } },
        webIdentity: identity.section,
      }),
    );
    for (const place of places) await fleet.start(place, thisTree);
    const prometheus = await begun(startPrometheus(directory, fleet));
    const load = await begun(startLoad(world, fleet));
    const startedAt = Date.now() / 1000;
    await happen({ world, fleet, identity, emergencyFile });
    await load.stop();
    const end = Date.now() / 1000;
    for (const name of readdirSync(dashboards).filter((it) => it.endsWith('.json'))) {
      await draw(name.replace('.json', ''), prometheus, startedAt + 10, end);
    }
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    for (const part of started.reverse()) await part.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function startPrometheus(directory, fleet) {
  const [port] = await freePorts(1);
  const place = join(directory, 'prometheus');
  mkdirSync(place);
  const rules = parse(
    readFileSync(fromRoot('k8s/components/pod-monitor/prometheus-rule.yaml'), 'utf8'),
  );
  const groups = rules.spec.groups.map((group) => ({ ...group, interval: '2s' }));
  writeFileSync(join(place, 'rules.yaml'), stringify({ groups }));
  const targets = fleet.inTurn.map(({ urls }, index) => ({
    targets: [new URL(urls.ops).host],
    labels: { namespace: 'token-broker', pod: `token-broker-${places[index]}` },
  }));
  const config = {
    global: { scrape_interval: '2s', evaluation_interval: '2s' },
    rule_files: ['rules.yaml'],
    scrape_configs: [{ job_name: 'token-broker', static_configs: targets }],
  };
  writeFileSync(join(place, 'prometheus.yaml'), stringify(config));
  const daemon = startDaemon(
    'prometheus',
    [
      `--config.file=${join(place, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(place, 'series')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { logFile: join(place, 'log') },
  );
  return {
    stop: () => daemon.stop(),
    async range(query, start, end) {
      const params = new URLSearchParams({ query, start, end, step: stepSeconds });
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query_range?${params}`);
      const { status, error, data } = await answer.json();
      assert.equal(status, 'success', error);
      return data.result;
    },
  };
}

function startLoad(world, fleet) {
  const kinds = [
    (index) => ({ caller: world.user(index) }),
    (index) => ({ caller: world.user(index), form: 'container' }),
    (index) => ({ caller: world.service('reports'), durationSeconds: 900 + (index % 40) * 60 }),
    () => ({ caller: world.service('orders') }),
    (index) =>
      index % 10 < 8 ? { caller: world.user(index) } : { caller: world.service('stranger') },
    (index) => ({ caller: world.service('operator'), durationSeconds: 900 + (index % 60) * 30 }),
    (index) =>
      index % 21 === 6
        ? { caller: { ...world.user(1), token: 'none' } }
        : { caller: world.user(index) },
  ];
  const turnstile = new Turnstile((index) => kinds[index % kinds.length](index));
  let turn = 0;
  const ended = runLoad({
    connections: 6,
    perSecond: 60,
    next: turnstile.next,
    url() {
      turn += 1;
      return fleet.inTurn[turn % fleet.inTurn.length].urls.api;
    },
    onAnswer() {},
  });
  return {
    async stop() {
      turnstile.close();
      await ended;
    },
  };
}

/** What an operator would want to see on a dashboard, one thing after another. */
async function happen({ world, fleet, identity, emergencyFile }) {
  const [{ urls }] = fleet.inTurn;
  const administrator = new Administrator(world, () => urls.admin);
  const for10s = async (begin, finish) => {
    await begin();
    await sleep(10_000);
    await finish();
    await sleep(6_000);
  };
  await sleep(30_000);
  let freeze;
  await for10s(
    async () => {
      const principal = { pool, client: clientIdOf('orders') };
      freeze = await administrator.freeze({ principal, role: roleNamed('orders') });
    },
    () => administrator.lift(freeze.id),
  );
  await for10s(
    () => world.fronts.sts.setFault({ kind: 'reset' }),
    () => world.fronts.sts.setFault(),
  );
  await for10s(
    () => world.fronts.dynamodb.setFault({ kind: 'refuse' }),
    () => world.fronts.dynamodb.setFault(),
  );
  await for10s(
    () => identity.key.front.setFault({ kind: 'refuse' }),
    () => identity.key.front.setFault(),
  );
  const denies = [{ principal: { pool, client: clientIdOf('reports') }, reason: 'an example' }];
  await for10s(
    () => writeFileSync(emergencyFile, stringify({ denies })),
    () => rmSync(emergencyFile),
  );
  await for10s(
    async () => {
      await world.putRow('MAPPING#ghost', 'CURRENT', { mapping: { S: '{}' } });
      for (let times = 0; times < 20; times += 1)
        connect(new URL(urls.api).port, '127.0.0.1').end('GARBAGE\r\n\r\n');
    },
    () => world.removeRow('MAPPING#ghost', 'CURRENT'),
  );
  await propose(administrator);
  await sleep(15_000);
}

/** Two edits that wait for a second administrator; one is withdrawn. */
async function propose(administrator) {
  const proposed = [];
  for (const id of ['wanted', 'unwanted']) {
    proposed.push(await administrator.propose(mappingOf(id, 'orders')));
    await sleep(4_000);
  }
  await administrator.withdraw(proposed[1]);
}

async function draw(name, prometheus, start, end) {
  const { title, panels } = JSON.parse(readFileSync(join(dashboards, `${name}.json`), 'utf8'));
  const drawn = [];
  for (const panel of panels) {
    const series = [];
    for (const { expr, legendFormat } of panel.targets ?? []) {
      const query = expr
        .replaceAll('$__rate_interval', rateInterval)
        .replaceAll('$namespace', '.*');
      for (const { metric, values } of await prometheus.range(query, start, end)) {
        const points = values.map(([at, value]) => [at, Number(value)]);
        series.push({
          name: legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label) => metric[label] ?? ''),
          points: points.filter(([, value]) => Number.isFinite(value)),
        });
      }
    }
    const some = series.filter(({ points }) => points.length > 0);
    const sum = ({ points }) => points.reduce((all, [, value]) => all + value, 0);
    some.sort((one, other) => sum(other) - sum(one));
    const isRow = panel.type === 'row';
    if (!isRow && some.length === 0) console.log(`no data: ${name}, ${panel.title}`);
    const { unit } = panel.fieldConfig?.defaults ?? {};
    drawn.push({ title: panel.title, unit, isRow, width: panel.gridPos?.w, series: some });
  }
  const svg = dashboardSvg({ title, panels: drawn, start, end });
  assert(svg.length < maxBytes, `${name}: ${svg.length} bytes`);
  writeFileSync(join(pictures, `dashboard-${name}.svg`), svg);
  console.log(`docs/images/dashboard-${name}.svg: ${svg.length} bytes`);
}
