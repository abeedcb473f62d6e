/** Runs the image by an OCI runtime as the Kubernetes manifest says, on this machine's network. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { startDaemon } from '../daemon.js';

const manifest = parse(
  readFileSync(
    fileURLToPath(new URL('../../k8s/instances/pod/deployment.yaml', import.meta.url)),
    'utf8',
  ),
);
const { spec: pod } = manifest.spec.template;
const [{ securityContext, volumeMounts }] = pod.containers;

/** What the runtime needs of the machine, which a sandbox may take away from root as well. */
export function canMount() {
  const mount = ['--mount', 'sh', '-c', 'mount -t cgroup2 none /sys/fs/cgroup'];
  return spawnSync('unshare', mount).status === 0;
}

/** crun refuses machines with both versions of cgroups, also where it is told to use none: here it sees one. */
const inOwnMounts = [
  ...['--mount', 'sh', '-c'],
  'mount -t cgroup2 none /sys/fs/cgroup && exec crun "$@"',
  'crun',
];

/** `volumes`: a folder of this machine for each of the manifest's that is there. */
export function startContainer({ image, tree, directory, volumes, env }) {
  const id = `token-broker-${process.pid}`;
  const bundle = join(directory, 'bundle');
  mkdirSync(bundle, { recursive: true });
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(specOf({ image, tree, volumes, env })));
  const logFile = join(directory, 'container.log');
  const ours = ['--root', join(directory, 'runtime'), '--cgroup-manager=disabled'];
  const words = (...args) => [...inOwnMounts, ...ours, ...args];
  const daemon = startDaemon('unshare', words('run', '--bundle', bundle, id), { logFile });
  const crun = (...args) => execFileSync('unshare', words(...args), { encoding: 'utf8' });
  const { runAsUser, runAsGroup } = pod.securityContext;
  return {
    daemon,
    pid: () => JSON.parse(crun('state', id)).pid,
    /** `{ status, out }` of another process in it, with the same rights. */
    exec(args) {
      const user = `${runAsUser}:${runAsGroup}`;
      const inside = words('exec', '--user', user, '--no-new-privs', id, ...args);
      const { status, stdout, stderr } = spawnSync('unshare', inside, {
        encoding: 'utf8',
        timeout: 60_000,
      });
      return { status, out: `${stdout}${stderr}` };
    },
    terminate: () => crun('kill', id, 'SIGTERM'),
    kill: () => spawnSync('unshare', words('delete', '--force', id)),
  };
}

function specOf({ image, tree, volumes, env }) {
  const { Env = [], Entrypoint, Cmd, WorkingDir } = image;
  const none = { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] };
  if (!securityContext.capabilities.drop.includes('ALL'))
    throw new Error('the manifest keeps capabilities');
  const mounts = volumeMounts
    .filter(({ name }) => volumes[name] !== undefined)
    .map(({ name, mountPath, readOnly = false }) => ({
      destination: mountPath,
      type: 'bind',
      source: volumes[name],
      options: ['bind', readOnly ? 'ro' : 'rw', 'nosuid', 'nodev'],
    }));
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: {
        uid: pod.securityContext.runAsUser,
        gid: pod.securityContext.runAsGroup,
        additionalGids: [pod.securityContext.fsGroup],
      },
      args: [...Entrypoint, ...Cmd],
      env: [...Env, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)],
      cwd: WorkingDir,
      capabilities: none,
      noNewPrivileges: !securityContext.allowPrivilegeEscalation,
      rlimits: [{ type: 'RLIMIT_CORE', hard: 0, soft: 0 }],
    },
    root: { path: tree, readonly: securityContext.readOnlyRootFilesystem },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      ...mounts,
    ],
    // Without a network of its own: what it is tried against is on this machine's loopback.
    linux: { namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'ipc' }, { type: 'uts' }] },
  };
}
