/**
 * `npm run conformance:image`: builds the Dockerfile, starts the image as k8s/ does, exchanges with it, probes it, reads
 * its audit log with it, stops it, and compares what is in it with contents.txt.
 */

import { strict as assert } from 'node:assert';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { configText } from '../../build/emulators/config-text.js';
import { Connection } from '../../build/faults/load.js';
import { pool, region, startWorld, tableName } from '../../build/faults/world.js';
import { fetchedNode } from '../../scripts/node24.js';
import { tryOne } from '../attempt.js';
import { run, versionOf } from '../commands.js';
import { waitFor } from '../daemon.js';
import { freePorts } from '../free-ports.js';
import { readOptions } from '../options.js';
import { makeBaseImages } from './base-images.js';
import { canMount, startContainer } from './container.js';
import { contentsFaults } from './contents.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const name = 'localhost/token-broker';
const buildMs = 900_000;
const startMs = 120_000;
const usage = `Usage: npm run conformance:image -- [--public] [--write] [--require]

  --public   Build from the public base images, where a registry is to be had.
  --write    Write conformance/image/contents.txt.
  --require  Fail where buildah, crun or busybox is missing, instead of skipping.

Needs Linux, root, and of Debian: apt-get install buildah crun busybox-static
`;

const flag = { type: 'boolean', default: false };
const options = readOptions({ usage, options: { public: flag, write: flag, require: flag } });
if (options !== undefined) {
  const { require } = options;
  await tryOne({ name: 'image', require, prepare: lookAround, attempt: tryImage });
}

function lookAround() {
  const missing = [
    ...(process.getuid?.() === 0 ? [] : ['it needs root']),
    ...['buildah', 'crun', 'busybox']
      .filter(
        (command) => versionOf(command, command === 'busybox' ? [] : ['--version']) === undefined,
      )
      .map((command) => `${command} is not installed`),
    ...(canMount() ? [] : ['this machine lets nobody mount']),
  ];
  return missing.length === 0 ? {} : { lacks: missing.join(', ') };
}

async function tryImage() {
  const directory = mkdtempSync(join(tmpdir(), 'token-broker-image-'));
  chmodSync(directory, 0o755);
  const store = ['--storage-driver', 'vfs', '--root', join(directory, 'store')];
  const global = [...store, '--runroot', join(directory, 'runroot')];
  const buildah = (command, ...args) => {
    const stored = options.public ? [] : ['--pull-never'];
    const isolated = command === 'bud' ? ['--isolation', 'chroot', ...stored] : [];
    return run('buildah', [...global, command, ...isolated, ...args], {
      cwd: root,
      timeoutMs: buildMs,
    });
  };
  try {
    const { image, tree } = await built(buildah, directory);
    const { faults, mib, packages } = contentsFaults(tree, options);
    faults.push(...imageFaults(image));
    const seen = await used(image, tree, directory);
    const found = `${mib.toFixed(1)} MiB in /app, ${packages} packages\n  ${seen}`;
    if (faults.length > 0) throw new Error([found, ...faults].join('\n  '));
    return found;
  } finally {
    spawnSync('buildah', [...global, 'umount', '--all']);
    spawnSync('buildah', [...global, 'rm', '--all']);
    rmSync(directory, { recursive: true, force: true });
  }
}

function standIns(buildah, directory) {
  const node = fetchedNode();
  if (node === undefined) throw new Error('without Node 24 there is no base image');
  return makeBaseImages({ buildah, node, directory });
}

async function built(buildah, directory) {
  const bases = options.public ? [] : await standIns(buildah, directory);
  const revision = execFileSync('git', ['rev-parse', 'HEAD'], {
    cwd: root,
    encoding: 'utf8',
  }).trim();
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const args = [...bases, `VERSION=${version}`, `REVISION=${revision}`];
  console.error('Building the image …');
  await buildah(
    'bud',
    ...['--format', 'docker', '--tag', name],
    ...args.flatMap((argument) => ['--build-arg', argument]),
    root,
  );
  const { Docker } = JSON.parse(await buildah('inspect', '--type', 'image', name));
  const container = (await buildah('from', '--pull-never', name)).trim();
  const tree = (await buildah('mount', container)).trim();
  return { image: Docker.config, tree };
}

function imageFaults({ Labels = {}, Healthcheck, User }) {
  const faults = [];
  const label = (key) => Labels[`org.opencontainers.image.${key}`];
  for (const key of ['title', 'licenses', 'version', 'revision']) {
    if (['', undefined, 'unknown', '0.0.0'].includes(label(key))) faults.push(`no label ${key}`);
  }
  if (Healthcheck === undefined) faults.push('no HEALTHCHECK');
  if (User !== '65532:65532') faults.push(`it runs as ${User}`);
  return faults;
}

/** The main job, by nothing but the image. Returns what was seen. */
async function used(image, tree, directory) {
  const world = await startWorld();
  const ports = await freePorts(2);
  const volumes = makeVolumes(directory, configOf(world, ports));
  const env = {
    POD_NAME: 'token-broker-0',
    AWS_ACCESS_KEY_ID: 'conformance',
    AWS_SECRET_ACCESS_KEY: 'conformance',
  };
  const container = startContainer({ image, tree, directory, volumes, env });
  try {
    const [api, ops] = ports.map((port) => `http://127.0.0.1:${port}`);
    await ready(ops, container);
    const rights = rightsOf(container.pid());
    const connection = new Connection(api);
    const granted = await connection.ask({ caller: world.service('orders') });
    const refused = await connection.ask({ caller: world.service('stranger') });
    connection.close();
    assert.equal(granted.status, 200, granted.code);
    assert.equal(refused.status, 403, refused.code);
    await saysWhichBuild(ops, image.Labels);
    probe(container, image.Healthcheck, ops);
    const program = image.Entrypoint.filter((word) => !word.startsWith('--'));
    const found = container.exec([
      ...program,
      ...['audit', 'find', '--directory', '/var/log/token-broker'],
      ...['--access-key-id', granted.accessKeyId, '--json'],
    ]);
    assert.equal(found.status, 0, found.out);
    assert.equal(JSON.parse(found.out).requestId, granted.requestId);
    cannotWrite(container, program);
    container.terminate();
    const deadline = performance.now() + startMs;
    while (container.daemon.running && performance.now() < deadline) await sleep(50);
    assert.equal(container.daemon.endedWith, 0, container.daemon.said());
    return `started as the manifest says (${rights}), exchanged, refused, probed, audit log read in it, ended with 0`;
  } finally {
    container.kill();
    await container.daemon.stop();
    await world.stop();
  }
}

function configOf(world, [api, ops]) {
  return {
    profile: 'development',
    listeners: { api: { port: api }, ops: { port: ops } },
    http: { drainSeconds: 0.2, shutdownSeconds: 10 },
    identity: {
      userPools: [
        { pool, issuer: world.issuer.url, jwksUri: world.issuer.jwksUri, clients: world.clientIds },
      ],
    },
    keys: { directory: '/var/lib/token-broker/keys' },
    policy: {
      table: tableName,
      region,
      endpoint: world.dynamodb.url,
      snapshotFile: '/var/lib/token-broker/policy/snapshot.json',
      emergencyFile: '/etc/token-broker-emergency/denies.yaml',
    },
    sts: { endpoints: [{ region, endpoint: world.fronts.sts.url }] },
    audit: { directory: '/var/log/token-broker', stdout: true },
  };
}

/** As the kubelet makes them: the group may write to an emptyDir, and nobody to a ConfigMap. */
function makeVolumes(directory, config) {
  const made = (folder, mode) => {
    const path = join(directory, 'volumes', folder);
    mkdirSync(path, { recursive: true });
    chownSync(path, 0, 65532);
    chmodSync(path, mode);
    return path;
  };
  const volumes = {
    config: made('config', 0o755),
    state: made('state', 0o2777),
    audit: made('audit', 0o2777),
    emergency: made('emergency', 0o755),
  };
  writeFileSync(join(volumes.config, 'config.yaml'), configText(config), { mode: 0o644 });
  return volumes;
}

async function ready(ops, { daemon }) {
  const isReady = () =>
    fetch(`${ops}/readyz`).then(
      ({ status }) => status === 200,
      () => false,
    );
  const otherwise = 'it did not become ready';
  await waitFor(isReady, { daemons: [daemon], otherwise, timeoutMs: startMs });
}

/** By the kernel's own account. */
function rightsOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (key) => new RegExp(`^${key}:\\s+(.+)$`, 'm').exec(status)?.[1];
  assert.match(field('Uid'), /^65532\s/);
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
    assert.equal(field(set), '0000000000000000', set);
  }
  assert.equal(field('NoNewPrivs'), '1');
  assert.match(readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n')[0], / \/ ro[, ]/);
  return 'uid 65532, no capability, root file system read-only';
}

async function saysWhichBuild(ops, labels) {
  const page = await (await fetch(`${ops}/metrics`)).text();
  const [line] = /^tokenbroker_build_info\{.*$/m.exec(page);
  for (const key of ['version', 'revision']) {
    assert(line.includes(`${key}="${labels[`org.opencontainers.image.${key}`]}"`), line);
  }
}

/** HEALTHCHECK as it stands in the image, at the port that it has here. */
function probe(container, { Test: [, ...command] }, ops) {
  const alive = container.exec([...command, '--url', `${ops}/livez`]);
  assert.equal(alive.status, 0, alive.out);
  const wrong = container.exec([...command, '--url', 'http://127.0.0.1:1/livez']);
  assert.equal(wrong.status, 1, wrong.out);
}

function cannotWrite(container, [node]) {
  for (const place of ['/app/dist/main.js', '/app/x', '/etc/token-broker/config.yaml']) {
    const script = `require('node:fs').appendFileSync(${JSON.stringify(place)}, 'x')`;
    const { status, out } = container.exec([node, '-e', script]);
    assert.notEqual(status, 0, `${place} can be written`);
    assert.match(out, /EROFS|EACCES/);
  }
}
