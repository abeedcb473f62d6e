/**
 * `npm run conformance:collector`: a broker's traces, sent to an OpenTelemetry Collector that is built by Go from the modules that the
 * project publishes, and read from what it prints of them.
 */

import { strict as assert } from 'node:assert';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startWorld } from '../../build/faults/world.js';
import { tryOne } from '../attempt.js';
import { outcomeOf, versionOf } from '../commands.js';
import { startDaemon, waitFor } from '../daemon.js';
import { Fleet } from '../fleet.js';
import { freePorts } from '../free-ports.js';
import { readOptions } from '../options.js';
import { thisTree } from '../release.js';

const usage = `Usage: npm run conformance:collector -- [--require]

  --require  Fail where Go or the modules of the collector are not to be had, instead of skipping.

Builds the collector: some minutes the first time.
`;
const sources = fileURLToPath(new URL('collector', import.meta.url));
const place = fileURLToPath(new URL('../../.local/conformance/collector', import.meta.url));
const buildMs = 3_600_000;
const [, version] = /collector\/otelcol v(\S+)/.exec(readFileSync(join(sources, 'go.mod'), 'utf8'));
const traceId = (index) => `4bf92f3577b34da6a3ce929d0e0e47${String(index).padStart(2, '0')}`;
const parentId = '00f067aa0ba902b7';
const expected = {
  'POST /v1/credentials': 'Server',
  'STS.AssumeRoleWithWebIdentity': 'Client',
  'audit commit': 'Internal',
};

const options = readOptions({ usage, options: { require: { type: 'boolean', default: false } } });
if (options !== undefined) {
  const { require } = options;
  await tryOne({ name: 'collector', require, prepare: build, attempt: tryTraces });
}

/** `{ program }`, or what it `lacks`. */
async function build() {
  if (versionOf('go', ['version']) === undefined) return { lacks: 'no go' };
  mkdirSync(place, { recursive: true });
  cpSync(sources, place, { recursive: true });
  const go = (...args) => outcomeOf('go', args, { cwd: place, timeoutMs: buildMs });
  console.error(`Building OpenTelemetry Collector ${version} …`);
  const fetched = await go('mod', 'download');
  if (!fetched.ok) return { lacks: `no modules of the collector: ${fetched.all.trim()}` };
  const program = join(place, 'collector');
  const built = await go('build', '-mod=readonly', '-o', program, '.');
  if (!built.ok) throw new Error(built.all);
  return { program };
}

async function tryTraces({ program }) {
  const directory = mkdtempSync(join(tmpdir(), 'token-broker-collector-'));
  const world = await startWorld();
  const fleet = new Fleet(world, directory);
  let collector;
  try {
    const [port] = await freePorts(1);
    collector = startCollector(program, { directory, port });
    await waitFor(() => listens(port), {
      daemons: [collector],
      otherwise: 'the collector does not listen',
    });
    const endpoint = `http://127.0.0.1:${port}/v1/traces`;
    const { urls } = await fleet.start('a', thisTree, { traces: { endpoint } });
    const callers = ['orders', 'orders'].map((name) => world.service(name).token);
    const answers = [];
    for (const [index, token] of [...callers, 'no token'].entries())
      answers.push((await ask(urls.api, token, index)).status);
    assert.deepEqual(answers, [200, 200, 401]);
    // What is left is sent at the end.
    await fleet.stop();
    const isThere = () => spansOf(collector.said()).length >= 5;
    await waitFor(isThere, { daemons: [collector], otherwise: 'the spans did not arrive' });
    judge(spansOf(collector.said()));
    return `OpenTelemetry Collector ${version} took the spans of two requests, and of a stranger none`;
  } finally {
    await fleet.stop();
    await collector?.stop();
    await world.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

function startCollector(program, { directory, port }) {
  const file = join(directory, 'collector.yaml');
  const pipelines = { traces: { receivers: ['otlp'], exporters: ['debug'] } };
  writeFileSync(
    file,
    JSON.stringify({
      receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
      exporters: { debug: { verbosity: 'detailed', use_internal_logger: false } },
      service: { telemetry: { metrics: { level: 'none' } }, pipelines },
    }),
  );
  return startDaemon(program, ['--config', `file:${file}`], {
    logFile: join(directory, 'collector.log'),
  });
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

function ask(api, token, index) {
  return fetch(new URL('/v1/credentials', api), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      traceparent: `00-${traceId(index)}-${parentId}-01`,
    },
    signal: AbortSignal.timeout(30_000),
  });
}

/** As the collector's debug exporter prints them. */
function spansOf(printed) {
  return printed
    .split(/^Span #\d+$/m)
    .slice(1)
    .map((text) => {
      const said = (name) => new RegExp(`^ *${name} *: ?(.*)$`, 'm').exec(text)?.[1];
      return {
        trace: said('Trace ID'),
        parent: said('Parent ID'),
        id: said('ID'),
        name: said('Name'),
        kind: said('Kind'),
        lasted: Date.parse(instant(said('End time'))) - Date.parse(instant(said('Start time'))),
      };
    });
}

/** To the millisecond, of `2026-01-15 12:00:00.123456789 +0000 UTC`. */
function instant(printed) {
  const [, day, time, part = ''] = /^(\S+) ([\d:]+)(\.\d{1,3})?/.exec(printed) ?? [];
  return `${day}T${time}${part}Z`;
}

function judge(spans) {
  for (const index of [0, 1]) {
    const own = spans.filter(({ trace }) => trace === traceId(index));
    // The second caller's session is in the cache.
    const names = Object.keys(expected).filter((name) => index === 0 || !name.startsWith('STS'));
    assert.equal(own.length, names.length);
    assert.deepEqual(new Set(own.map(({ name }) => name)), new Set(names));
    const root = own.find(({ name }) => name.startsWith('POST'));
    for (const span of own) {
      assert.equal(span.kind, expected[span.name]);
      assert.equal(span.parent, span === root ? parentId : root.id);
      assert.ok(span.lasted >= 0 && span.lasted < 60_000, `${span.name}: ${span.lasted} ms`);
    }
  }
  assert.deepEqual(
    spans.filter(({ trace }) => trace === traceId(2)),
    [],
    'a stranger wrote into a trace',
  );
}
