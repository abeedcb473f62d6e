import { describe, expect, it } from '@jest/globals';
import type { IDeployment } from 'kubernetes-models/apps/v1';
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1';
import type { IConfigMap, INamespace } from 'kubernetes-models/v1';
import { dashboards } from '../support/dashboards.ts';
import { schemaFaults } from './kubernetes-schema.ts';
import { type KubernetesObject, renderOverlay } from './overlay.ts';

const production = await renderOverlay('production');
const overlays = [await renderOverlay('development'), await renderOverlay('staging'), production];

it('one overlay has the dashboards, whole: they let people choose the namespace, and a Grafana takes each once', () => {
  const labelled = overlays.map((overlay) => ({
    name: overlay.name,
    found: overlay
      .all<IConfigMap>('ConfigMap')
      .filter(({ metadata }) => metadata?.labels?.['grafana_dashboard'] === '1')
      .flatMap(({ data = {} }) => Object.entries(data))
      .map(([file, text]) => ({ file, ...JSON.parse(text) })),
  }));
  expect(labelled.filter(({ found }) => found.length > 0)).toEqual([
    { name: 'production', found: expect.arrayContaining([...dashboards]) },
  ]);
});

describe.each(overlays)('overlay $name', (overlay) => {
  it('has only objects that fit the Kubernetes schemas, with no unknown field', () => {
    const faults = overlay.objects
      // The Prometheus operator's own kinds; promtool checks the rules.
      .filter(({ kind }) => kind !== 'PodMonitor' && kind !== 'PrometheusRule')
      .flatMap((object) =>
        schemaFaults(object).map((fault) => `${object.metadata.name}: ${fault}`),
      );
    expect(faults).toEqual([]);
  });

  it('puts everything into one namespace that admits restricted pods only', () => {
    const { metadata } = overlay.find<INamespace>('Namespace');
    expect(metadata?.labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
    const elsewhere = overlay.objects.filter(
      (object) => object.kind !== 'Namespace' && object.metadata.namespace !== metadata?.name,
    );
    expect(elsewhere).toEqual([]);
  });

  it('has selectors that each choose the pods they are meant for', () => {
    const [broker, admin] = [['token-broker'], ['token-broker-admin']];
    const both = [...broker, ...admin];
    expect(overlay.choices()).toEqual({
      'Deployment token-broker': broker,
      'Deployment token-broker-admin': admin,
      'NetworkPolicy default-deny': both,
      'NetworkPolicy token-broker-admin': admin,
      'NetworkPolicy token-broker-api': broker,
      'NetworkPolicy token-broker-egress': both,
      'NetworkPolicy token-broker-egress-key-sets': both,
      'NetworkPolicy token-broker-ops': both,
      'PodDisruptionBudget token-broker': broker,
      'PodMonitor token-broker': both,
      'Service token-broker': broker,
      'Service token-broker-admin': admin,
      'Service token-broker-ops': both,
    });
    expect(
      overlay.find<IHorizontalPodAutoscaler>('HorizontalPodAutoscaler').spec?.scaleTargetRef,
    ).toEqual({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      name: 'token-broker',
    });
  });

  it('opens each listener to the namespaces meant for it and nothing else (T40, T45)', () => {
    const ingress = overlay.all<INetworkPolicy>('NetworkPolicy').flatMap(({ metadata, spec }) =>
      (spec?.ingress ?? []).map(({ from, ports }) => ({
        name: metadata?.name,
        from: from?.map(({ namespaceSelector }) => namespaceSelector?.matchLabels),
        ports: ports?.map(({ port }) => port),
      })),
    );
    expect(ingress).toEqual([
      {
        name: 'token-broker-admin',
        from: [{ 'token-broker/admin-access': 'true' }],
        ports: [8081],
      },
      { name: 'token-broker-api', from: [{ 'token-broker/api-access': 'true' }], ports: [8080] },
      {
        name: 'token-broker-ops',
        from: [{ 'kubernetes.io/metadata.name': 'monitoring' }],
        ports: [9090],
      },
    ]);
    const deny = overlay.find<INetworkPolicy>('NetworkPolicy', 'default-deny');
    expect(deny.spec).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
  });

  it('lets the pods reach DNS, the Pod Identity agent and HTTPS, but no metadata service (T45)', () => {
    const egress = overlay
      .all<INetworkPolicy>('NetworkPolicy')
      .flatMap(({ spec }) => spec?.egress ?? []);
    const reach = egress.map(({ to, ports }) => [
      to?.map(({ ipBlock }) => ipBlock?.cidr ?? 'kube-dns').join(),
      ports?.map(({ protocol, port }) => `${protocol}/${port}`).join(),
    ]);
    expect(reach).toEqual([
      ['kube-dns', 'UDP/53,TCP/53'],
      ['169.254.170.23/32', 'TCP/80'],
      [expect.stringMatching(/^10\./), 'TCP/443'],
      ['0.0.0.0/0', 'TCP/443'],
    ]);
    expect(egress.at(-1)?.to?.[0]?.ipBlock?.except).toContain('169.254.0.0/16');
  });

  it('runs both instances with the same configuration, except for who may reach and edit what', () => {
    const { listeners, admin, ...broker } = overlay.config('token-broker');
    const {
      listeners: adminListeners,
      admin: editors,
      ...rest
    } = overlay.config('token-broker-admin');
    expect(rest).toEqual(broker);
    expect([admin, editors]).toEqual([undefined, expect.anything()]);
    expect(listeners.api.host).toBe('0.0.0.0');
    expect([adminListeners.api.host, adminListeners.admin.host]).toEqual(['127.0.0.1', '0.0.0.0']);
  });
});

describe('production', () => {
  it('has at least three brokers, loses at most one at a time, and leaves their number to the autoscaler', () => {
    const { spec } = production.find<IDeployment>('Deployment', 'token-broker');
    expect(spec?.replicas).toBeUndefined();
    expect(spec?.strategy?.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
    const autoscaler = production.find<IHorizontalPodAutoscaler>('HorizontalPodAutoscaler');
    expect(autoscaler.spec?.minReplicas).toBeGreaterThanOrEqual(3);
    const budget = production.find<IPodDisruptionBudget>('PodDisruptionBudget');
    expect(budget.spec?.maxUnavailable).toBe(1);
    const spread = spec?.template.spec?.topologySpreadConstraints?.map(
      ({ topologyKey }) => topologyKey,
    );
    expect(spread).toEqual(['topology.kubernetes.io/zone', 'kubernetes.io/hostname']);
  });
});

describe('the schema check itself', () => {
  it('reports unknown fields, bad values and missing fields', () => {
    const broken = (change: (spec: NonNullable<IDeployment['spec']>) => void) => {
      const copy = structuredClone(production.find<IDeployment>('Deployment', 'token-broker'));
      if (copy.spec !== undefined) change(copy.spec);
      return schemaFaults(copy as KubernetesObject);
    };
    const unknown = broken((spec) =>
      Object.assign(spec.template.spec ?? {}, { hostNetwrok: true }),
    );
    expect(unknown).toEqual(['/spec/template/spec/hostNetwrok is not a field of Deployment']);
    expect(broken((spec) => Object.assign(spec, { replicas: 'three' }))).toHaveLength(1);
    expect(broken((spec) => Reflect.deleteProperty(spec, 'template'))).toHaveLength(1);
  });
});
