import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { Namespace } from 'kubernetes-models/v1/Namespace';
import { PersistentVolumeClaim } from 'kubernetes-models/v1/PersistentVolumeClaim';
import { Service } from 'kubernetes-models/v1/Service';
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount';
import type { KubernetesObject } from './overlay.ts';

/** What is wrong with an object by Kubernetes' own schemas: bad values, missing fields, unknown fields. */
export function schemaFaults(object: KubernetesObject): readonly string[] {
  const model = models.get(`${object.apiVersion} ${object.kind}`);
  if (model === undefined) return [`no schema for ${object.apiVersion} ${object.kind}`];
  const { tracked, unread } = trackReads(object);
  try {
    model.prototype.validate.call(tracked);
  } catch (error) {
    return [String(error)];
  }
  return unread().map((path) => `${path} is not a field of ${object.kind}`);
}

const models = new Map(
  [
    ...[ConfigMap, Namespace, PersistentVolumeClaim, Service, ServiceAccount],
    ...[Deployment, HorizontalPodAutoscaler, NetworkPolicy, PodDisruptionBudget],
  ].map((model): [string, Model] => [`${model.apiVersion} ${model.kind}`, model]),
);

interface Model {
  readonly prototype: { validate(this: unknown): void };
}

/**
 * The schemas say nothing about unknown fields, but the validator reads each field it knows: a field that
 * nobody read is one that no schema has.
 */
function trackReads(root: object): { tracked: object; unread: () => string[] } {
  const objects: { path: string; target: object; read: Set<string> }[] = [];
  function track(target: object, path: string): object {
    const read = new Set<string>();
    const children = new Map<string, object>();
    objects.push({ path, target, read });
    return new Proxy(target, {
      get(_, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof name === 'symbol') return value;
        read.add(name);
        if (typeof value !== 'object' || value === null) return value;
        const child = children.get(name) ?? track(value, `${path}/${name}`);
        children.set(name, child);
        return child;
      },
    });
  }
  return {
    tracked: track(root, ''),
    unread: () =>
      objects.flatMap(({ path, target, read }) =>
        Object.keys(target)
          .filter((name) => !read.has(name))
          .map((name) => `${path}/${name}`),
      ),
  };
}
