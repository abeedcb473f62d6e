/** A real kube-apiserver on loopback, with an etcd in the same process: built by Go, from what both projects publish. */

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { outcomeOf } from '../commands.js';
import { startDaemon, waitFor } from '../daemon.js';
import { freePorts } from '../free-ports.js';

const sources = fileURLToPath(new URL('apiserver', import.meta.url));
const place = fileURLToPath(new URL('../../.local/conformance/kubernetes', import.meta.url));
const buildMs = 3_600_000;
const startMs = 600_000;
/** CustomResourceDefinitions of PodMonitor and PrometheusRule are part of it. */
const operator = 'github.com/prometheus-operator/prometheus-operator@v0.85.0';
const definitions = ['podmonitors', 'prometheusrules'];

export const [, kubernetesVersion] = /k8s\.io\/kubernetes v(\S+)/.exec(
  readFileSync(join(sources, 'go.mod'), 'utf8'),
);

/** `{ program, definitions }`, or what it `lacks`: some places have no Go modules, or not these. */
export async function buildApiServer() {
  mkdirSync(place, { recursive: true });
  cpSync(sources, place, { recursive: true });
  const go = (...args) => outcomeOf('go', args, { cwd: place, timeoutMs: buildMs });
  console.error(`Building kube-apiserver ${kubernetesVersion} …`);
  const modules = await go('mod', 'download', '-json', operator);
  const fetched = modules.ok ? await go('mod', 'download') : modules;
  if (!fetched.ok) return { lacks: `no modules of Kubernetes: ${lastLine(fetched.all)}` };
  const program = join(place, 'apiserver');
  const built = await go('build', '-mod=readonly', '-ldflags=-s -w', '-o', program, '.');
  if (!built.ok) throw new Error(built.all);
  const { Dir } = JSON.parse(modules.out);
  const named = (kind) =>
    join(Dir, 'example/prometheus-operator-crd', `monitoring.coreos.com_${kind}.yaml`);
  return { program, definitions: definitions.map(named) };
}

function lastLine(text) {
  return text.trim().split('\n').at(-1);
}

/** `{ url, token, certificate, directory, stop() }`; the token is that of somebody who may do anything. */
export async function startApiServer(program, directory) {
  const [port, clients, peers] = await freePorts(3);
  const [token, file] = [randomBytes(16).toString('hex'), (name) => join(directory, name)];
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const write = (name, text) => writeFileSync(file(name), text, { mode: 0o600 });
  write('accounts.key', privateKey.export({ type: 'pkcs8', format: 'pem' }));
  write('accounts.pub', publicKey.export({ type: 'spki', format: 'pem' }));
  write('tokens.csv', `${token},conformance,conformance,"system:masters"\n`);
  const [etcd, peer] = [clients, peers].map((it) => `http://127.0.0.1:${it}`);
  const daemon = startDaemon(
    program,
    [
      `--etcd-servers=${etcd}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      // It must not be on loopback, and nobody is told of it.
      '--advertise-address=192.0.2.1',
      '--endpoint-reconciler-type=none',
      `--cert-dir=${directory}`,
      `--token-auth-file=${file('tokens.csv')}`,
      '--authorization-mode=RBAC',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-signing-key-file=${file('accounts.key')}`,
      `--service-account-key-file=${file('accounts.pub')}`,
      '--service-cluster-ip-range=10.96.0.0/16',
    ],
    {
      logFile: file('log'),
      env: { ETCD_DIRECTORY: file('etcd'), ETCD_CLIENTS: etcd, ETCD_PEERS: peer },
    },
  );
  const server = {
    url: `https://127.0.0.1:${port}`,
    token,
    certificate: file('apiserver.crt'),
    directory,
    stop: () => daemon.stop(),
  };
  const isReady = async () =>
    (await kubectlOutcome(server, ['get', '--raw', '/readyz'], 60_000)).ok;
  try {
    await waitFor(isReady, {
      daemons: [daemon],
      otherwise: 'kube-apiserver did not start',
      timeoutMs: startMs,
    });
  } catch (error) {
    await daemon.stop();
    throw error;
  }
  return server;
}

/** How a command of kubectl ends that knows this server and nothing of the machine's own. */
export function kubectlOutcome({ url, token, certificate, directory }, args, timeoutMs) {
  const how = ['--server', url, '--token', token, '--certificate-authority', certificate];
  const env = { HOME: directory, KUBECONFIG: '/dev/null' };
  return outcomeOf('kubectl', [...how, ...args], { cwd: directory, env, timeoutMs });
}
