/**
 * `npm run conformance:kubernetes`: every object of k8s/, and those of the pages, shown to a real API server, with the operator's
 * definitions for what scrapes and alerts. Nothing runs them: there is no controller, no scheduler and no kubelet.
 */

import { strict as assert } from 'node:assert';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tryOne } from '../attempt.js';
import { versionOf } from '../commands.js';
import { readOptions } from '../options.js';
import { buildApiServer, kubectlOutcome, kubernetesVersion, startApiServer } from './api-server.js';

const usage = `Usage: npm run conformance:kubernetes -- [--require]

  --require  Fail where Go, kubectl or the modules of Kubernetes are not to be had, instead of skipping.

Builds kube-apiserver with an etcd in it from the modules that both projects publish: a quarter of an hour the first time.
`;
const root = fileURLToPath(new URL('../..', import.meta.url));
const overlays = {
  development: 'token-broker-development',
  staging: 'token-broker-staging',
  production: 'token-broker',
};
/** It says so of each headless service, also of those that say nothing of it: the default is not empty. */
const unfounded = new Set(['Warning: spec.SessionAffinity is ignored for headless services']);
const commandMs = 300_000;

const options = readOptions({ usage, options: { require: { type: 'boolean', default: false } } });
if (options !== undefined) {
  const { require } = options;
  await tryOne({ name: 'kubernetes', require, prepare: build, attempt: tryObjects });
}

function build() {
  const tools = { go: ['version'], kubectl: ['version', '--client'] };
  const missing = Object.keys(tools).filter((name) => versionOf(name, tools[name]) === undefined);
  return missing.length > 0 ? { lacks: `no ${missing.join(', ')}` } : buildApiServer();
}

async function tryObjects({ program, definitions }) {
  const directory = mkdtempSync(join(tmpdir(), 'token-broker-kubernetes-'));
  let server;
  try {
    server = await startApiServer(program, directory);
    const kubectl = kubectlFor(server);
    await kubectl('apply', '--server-side', ...definitions.flatMap((file) => ['-f', file]));
    await kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s');
    await refusesWhatIsWrong(kubectl, directory);
    const counts = [];
    for (const [name, namespace] of Object.entries(overlays)) {
      counts.push(`${name} ${await takes(kubectl, withEverything(name, directory), namespace)}`);
      await takesPods(kubectl, directory, namespace);
    }
    await pagesHold(kubectl, directory);
    return `Kubernetes ${kubernetesVersion}; objects: ${counts.join(', ')}; their pods; the commands of the pages`;
  } finally {
    await server?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Rejects if the server refuses, and if it warns: of fields that nobody knows, or pods that it will refuse. */
function kubectlFor(server) {
  return async (...args) => {
    const { ok, end, out, err } = await kubectlOutcome(server, args, commandMs);
    assert(ok, `kubectl ${args.join(' ')} ${end}: ${err}`);
    const warnings = err.match(/^Warning: .*/gm) ?? [];
    assert.deepEqual(
      warnings.filter((it) => !unfounded.has(it)),
      [],
      args.join(' '),
    );
    return out;
  };
}

/** Or else that it takes the others would say nothing. */
async function refusesWhatIsWrong(kubectl, directory) {
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'wrong', namespace: 'default' },
    spec: { ports: [{ port: 1 }], selecter: {} },
  };
  await assert.rejects(create(kubectl, directory, service), /unknown field "spec.selecter"/);
  const pod = {
    metadata: { name: 'wrong' },
    spec: { podMetricsEndpoints: [{ interval: 'often' }], selector: {} },
  };
  const monitor = { apiVersion: 'monitoring.coreos.com/v1', kind: 'PodMonitor', ...pod };
  await assert.rejects(
    create(kubectl, directory, monitor),
    /spec.podMetricsEndpoints\[0\].interval/,
  );
}

function create(kubectl, directory, object) {
  const file = join(directory, 'object.json');
  writeFileSync(file, JSON.stringify(object));
  return kubectl('create', '--dry-run=server', '--validate=strict', '-f', file);
}

/** An overlay with the component that only some want. */
function withEverything(name, directory) {
  const folder = join(directory, name);
  mkdirSync(folder);
  const inTree = (...parts) => relative(folder, join(root, 'k8s', ...parts));
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    namespace: overlays[name],
    resources: [inTree('overlays', name)],
    components: [inTree('components', 'identity-documents')],
  };
  writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
  return folder;
}

/** As an operator applies it, and once more, which changes nothing. How many objects there were. */
async function takes(kubectl, folder, namespace) {
  const apply = () => kubectl('apply', '--server-side', '--validate=strict', '-k', folder);
  const first = await apply();
  const kinds = 'deployment,service,networkpolicy,configmap,serviceaccount';
  const versions = () =>
    kubectl('get', kinds, '-n', namespace, '-o', 'jsonpath={.items[*].metadata.resourceVersion}');
  const before = await versions();
  assert.equal(await apply(), first);
  assert.equal(await versions(), before, `${namespace}: applied twice, changed twice`);
  return first.trim().split('\n').length;
}

/** Admission judges pods, which Deployments would make: the namespace enforces "restricted". */
async function takesPods(kubectl, directory, namespace) {
  const { items } = JSON.parse(await kubectl('get', 'deployments', '-n', namespace, '-o', 'json'));
  assert.equal(items.length, 2);
  for (const { metadata, spec } of items) {
    const { metadata: labels, spec: pod } = spec.template;
    const object = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: metadata.name, namespace, labels: labels.labels },
    };
    await create(kubectl, directory, { ...object, spec: pod });
    const root = {
      ...pod,
      securityContext: { ...pod.securityContext, runAsNonRoot: false, runAsUser: 0 },
    };
    await assert.rejects(
      create(kubectl, directory, { ...object, spec: root }),
      /violates PodSecurity/,
    );
  }
}

/** What docs/ gives to kubectl besides the overlays, in the namespace of production. */
async function pagesHold(kubectl, directory) {
  const page = (name) => readFileSync(join(root, 'docs', name), 'utf8');
  const [, pod] = /^```yaml\n(apiVersion: v1\nkind: Pod\n.*?)^```/ms.exec(page('maintenance.md'));
  const file = join(directory, 'audit-find.yaml');
  writeFileSync(file, pod);
  // In a cluster the controller manager makes it.
  await kubectl('create', 'serviceaccount', 'default', '-n', 'token-broker');
  await kubectl('create', '--dry-run=server', '--validate=strict', '-f', file);
  writeFileSync(join(directory, 'denies.yaml'), 'denies: []\n');
  const said = [
    [
      'operations.md',
      'kubectl -n token-broker create configmap token-broker-emergency --from-file=denies.yaml',
    ],
    ['deployment.md', 'kubectl label namespace orders token-broker/api-access=true'],
  ];
  await kubectl('create', 'namespace', 'orders');
  for (const [name, command] of said) {
    assert(page(name).includes(command), `docs/${name} has another command than "${command}"`);
    await kubectl(...command.split(' ').slice(1));
  }
}
