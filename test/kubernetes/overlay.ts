import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { IDeployment } from 'kubernetes-models/apps/v1';
import type { IConfigMap } from 'kubernetes-models/v1';
import { parseAllDocuments } from 'yaml';
import { parseConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';

const k8s = fileURLToPath(new URL('../../k8s', import.meta.url));

/** The objects of one overlay, as `kubectl apply -k` would send them. */
export function renderOverlay(name: string): Promise<Overlay> {
  return rendered(name, join(k8s, 'overlays', name));
}

/** The same with one more component, as an operator adds it. */
export async function renderWithComponent(name: string, component: string): Promise<Overlay> {
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-overlay-'));
  const path = (...parts: string[]) => relative(folder, join(k8s, ...parts));
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    namespace: 'token-broker',
    resources: [path('overlays', name)],
    components: [path('components', component)],
  };
  writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
  try {
    return await rendered(name, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function rendered(name: string, folder: string): Promise<Overlay> {
  const objects = parseAllDocuments(await build(folder)).map((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS() as KubernetesObject;
  });
  return new Overlay(name, objects);
}

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

export type Labels = Readonly<Record<string, string>>;

export class Overlay {
  readonly name: string;
  readonly objects: readonly KubernetesObject[];

  constructor(name: string, objects: readonly KubernetesObject[]) {
    this.name = name;
    this.objects = objects;
  }

  all<T>(kind: string): T[] {
    return this.objects.filter((object) => object.kind === kind) as T[];
  }

  /** The only object of that kind, or the one with that name. */
  find<T>(kind: string, name?: string): T {
    const [found, ...others] = this.all<KubernetesObject>(kind).filter(
      ({ metadata }) => name === undefined || metadata.name === name,
    );
    if (found === undefined || others.length > 0) {
      throw new Error(`${this.name} has no single ${kind} ${name ?? ''}`);
    }
    return found as T;
  }

  pod(deployment: string) {
    const pod = this.find<IDeployment>('Deployment', deployment).spec?.template.spec;
    const [container, ...others] = pod?.containers ?? [];
    if (pod === undefined || container === undefined || others.length > 0) {
      throw new Error(`${deployment} must have exactly one container`);
    }
    return { pod, container };
  }

  /** What the broker reads from the mounted file, under the rules of the production profile. */
  config(deployment: string): Config {
    const { pod, container } = this.pod(deployment);
    const mount = container.volumeMounts?.find(
      ({ mountPath }) => mountPath === '/etc/token-broker',
    );
    const volume = pod.volumes?.find(({ name }) => name === mount?.name);
    const { data } = this.find<IConfigMap>('ConfigMap', volume?.configMap?.name ?? 'none');
    const text = data?.['config.yaml'] ?? '';
    return parseConfig({ path: `${this.name}/${deployment}`, text }, { env: {}, rules: [] });
  }

  /** Names of the deployments whose pods carry all these labels. */
  podsWith(labels: Labels): string[] {
    return this.all<IDeployment>('Deployment')
      .filter(({ spec }) => {
        const own = spec?.template.metadata?.labels ?? {};
        return Object.entries(labels).every(([name, value]) => own[name] === value);
      })
      .map(({ metadata }) => metadata?.name ?? '');
  }

  /** For each object with a selector for pods: the deployments whose pods it chooses. */
  choices(): Readonly<Record<string, string[]>> {
    return Object.fromEntries(
      this.objects.flatMap((object) => {
        const labels = selectorOf(object);
        const name = `${object.kind} ${object.metadata.name}`;
        return labels === undefined ? [] : [[name, this.podsWith(labels)]];
      }),
    );
  }
}

function selectorOf(object: KubernetesObject): Labels | undefined {
  const { spec } = object as { spec?: { selector?: Labels; podSelector?: MatchLabels } };
  if (object.kind === 'NetworkPolicy') return spec?.podSelector?.matchLabels ?? {};
  if (object.kind === 'Service') return spec?.selector;
  return (spec?.selector as MatchLabels | undefined)?.matchLabels;
}

interface MatchLabels {
  readonly matchLabels?: Labels;
}

const run = promisify(execFile);

async function build(folder: string): Promise<string> {
  const tools = [
    ['kubectl', 'kustomize', folder],
    ['kustomize', 'build', folder],
  ] as const;
  for (const [command, ...args] of tools) {
    try {
      return (await run(command, args)).stdout;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw new Error(
    'These tests need kubectl 1.27 or newer, or kustomize 5, on the PATH. With Go: go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1',
  );
}
