import { describe, expect, it } from '@jest/globals';
import type { IService, IServiceAccount } from 'kubernetes-models/v1';
import { renderOverlay } from './overlay.ts';

const everyPod = [
  await renderOverlay('development'),
  await renderOverlay('staging'),
  await renderOverlay('production'),
].flatMap((overlay) => ['token-broker', 'token-broker-admin'].map((name) => ({ overlay, name })));

describe.each(everyPod)('$name in $overlay.name', ({ overlay, name }) => {
  it('satisfies the restricted pod security standard, with a read-only root file system (T45)', () => {
    const { pod, container } = overlay.pod(name);
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 65_532,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect([pod.hostNetwork, pod.hostPID, pod.hostIPC, pod.initContainers]).toEqual(
      Array(4).fill(undefined),
    );
    expect(pod.volumes?.filter(({ hostPath }) => hostPath !== undefined)).toEqual([]);
    expect(container.resources?.limits).toEqual({
      cpu: expect.anything(),
      memory: expect.anything(),
    });
  });

  it('has a service account of its own and no token for the Kubernetes API (T45)', () => {
    const { pod } = overlay.pod(name);
    const account = overlay.find<IServiceAccount>('ServiceAccount', name);
    expect([pod.serviceAccountName, pod.automountServiceAccountToken]).toEqual([name, false]);
    expect(account.automountServiceAccountToken).toBe(false);
  });

  it('is probed, and reached by its services, on the ports it listens on', () => {
    const { container } = overlay.pod(name);
    const { listeners } = overlay.config(name);
    const open = name === 'token-broker' ? 'api' : 'admin';
    expect(container.ports).toEqual([
      { name: open, containerPort: listeners[open].port },
      { name: 'ops', containerPort: listeners.ops.port },
    ]);
    const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe];
    expect(probes.map((probe) => probe?.httpGet)).toEqual([
      { path: '/livez', port: 'ops' },
      { path: '/livez', port: 'ops' },
      { path: '/readyz', port: 'ops' },
    ]);
    const targets = overlay
      .all<IService>('Service')
      .filter(({ spec }) => overlay.podsWith(spec?.selector ?? {}).includes(name))
      .flatMap(({ spec }) => spec?.ports?.map(({ targetPort }) => targetPort));
    expect(targets).toEqual([open, 'ops']);
  });

  it('announces TLS on its service exactly where it serves TLS', () => {
    const open = name === 'token-broker' ? 'api' : 'admin';
    const { tls } = overlay.config(name).listeners[open];
    const [port] = overlay.find<IService>('Service', name).spec?.ports ?? [];
    expect([port?.appProtocol, port?.port]).toEqual(tls ? ['https', 443] : ['http', 80]);
    if (overlay.name !== 'development') expect(tls).toBeDefined();
  });

  it('writes only to the two mounted folders, and reads its certificate from a mounted secret', () => {
    const { container, pod } = overlay.pod(name);
    const config = overlay.config(name);
    const writable = container.volumeMounts?.filter(({ readOnly }) => readOnly !== true);
    expect(writable?.map(({ mountPath }) => mountPath)).toEqual([
      '/var/lib/token-broker',
      '/var/log/token-broker',
    ]);
    expect(config.keys.directory).toMatch(/^\/var\/lib\/token-broker\//);
    expect(config.policy.snapshotFile).toMatch(/^\/var\/lib\/token-broker\//);
    expect(config.audit.directory).toBe('/var/log/token-broker');
    const mounted = container.volumeMounts?.find(
      ({ mountPath }) => mountPath === '/etc/token-broker-tls',
    );
    const secret = pod.volumes?.find((volume) => volume.name === mounted?.name)?.secret?.secretName;
    expect(secret).toBe(overlay.name === 'development' ? undefined : 'token-broker-tls');
  });

  it('has a folder for the emergency file, which is there before anybody puts the file into it', () => {
    const { container, pod } = overlay.pod(name);
    const mount = container.volumeMounts?.find((candidate) => candidate.name === 'emergency');
    const volume = pod.volumes?.find((candidate) => candidate.name === 'emergency');
    expect(overlay.config(name).policy.emergencyFile).toBe(`${mount?.mountPath}/denies.yaml`);
    // By a subPath it would never be renewed.
    expect([mount?.subPath, volume?.configMap?.optional]).toEqual([undefined, true]);
  });

  it('is given more time to end than draining and shutting down may take', () => {
    const { pod, container } = overlay.pod(name);
    const { drainSeconds, shutdownSeconds } = overlay.config(name).http;
    const sleepSeconds = container.lifecycle?.preStop?.sleep?.seconds ?? Number.NaN;
    const graceSeconds = pod.terminationGracePeriodSeconds ?? 30;
    expect(sleepSeconds + drainSeconds + shutdownSeconds + 10).toBeLessThanOrEqual(graceSeconds);
  });

  it('asks its node for the disk that its emptyDirs may fill, and little more', () => {
    const { pod, container } = overlay.pod(name);
    const asked = mebibytes(container.resources?.requests?.['ephemeral-storage']);
    const dirs = (pod.volumes ?? []).flatMap(({ emptyDir }) => emptyDir ?? []);
    const fill = dirs.reduce((sum, { sizeLimit }) => sum + mebibytes(sizeLimit), 0);
    expect(fill).toBeGreaterThan(0);
    // Beside them there is the container's log, which the kubelet keeps to five files of 10 MiB.
    expect([asked >= fill + 50, asked <= fill + 100]).toEqual([true, true]);
  });

  it('runs a tagged image', () => {
    expect(overlay.pod(name).container.image).toMatch(/(?::\d+\.\d+\.\d+|@sha256:[0-9a-f]{64})$/);
  });

  it('keeps its audit log beyond the pod, in a folder that no other pod sees, outside of development', () => {
    const { pod, container } = overlay.pod(name);
    const volume = pod.volumes?.find((candidate) => candidate.name === 'audit');
    const mount = container.volumeMounts?.find((candidate) => candidate.name === 'audit');
    const kept = overlay.name !== 'development';
    expect(volume?.persistentVolumeClaim?.claimName).toBe(kept ? 'token-broker-audit' : undefined);
    expect(mount?.subPathExpr).toBe(kept ? '$(POD_NAME)' : undefined);
    expect(container.env).toEqual([
      { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    ]);
  });
});

function mebibytes(quantity: string | number | undefined): number {
  const [, number, unit] = /^(\d+)([MG])i$/.exec(String(quantity)) ?? [];
  return Number(number) * (unit === 'G' ? 1024 : 1);
}
