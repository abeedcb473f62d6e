import { expect, it } from '@jest/globals';
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import type { IService } from 'kubernetes-models/v1';
import { schemaFaults } from './kubernetes-schema.ts';
import { renderOverlay, renderWithComponent } from './overlay.ts';

const production = await renderOverlay('production');
const overlay = await renderWithComponent('production', 'identity-documents');
const added = overlay.objects.filter(
  ({ kind, metadata }) =>
    !production.objects.some((one) => one.kind === kind && one.metadata.name === metadata.name),
);

it('components/identity-documents adds a service and a policy for the brokers alone, and nothing unknown', () => {
  expect(added.flatMap(schemaFaults)).toEqual([]);
  expect(added.map(({ kind, metadata }) => [kind, metadata.name, metadata.namespace])).toEqual([
    ['Service', 'token-broker-identity', 'token-broker'],
    ['NetworkPolicy', 'token-broker-identity', 'token-broker'],
  ]);
  expect(overlay.choices()).toMatchObject({
    'NetworkPolicy token-broker-identity': ['token-broker'],
    'Service token-broker-identity': ['token-broker'],
  });
});

it('components/identity-documents opens the listener identity, on its own port, to the namespace of the ingress and nobody else (T200)', () => {
  const { port } = overlay.config('token-broker').listeners.identity;
  expect(overlay.pod('token-broker').container.ports).toContainEqual({
    name: 'identity',
    containerPort: port,
  });
  expect(overlay.pod('token-broker-admin').container.ports).toEqual(
    production.pod('token-broker-admin').container.ports,
  );
  const service = overlay.find<IService>('Service', 'token-broker-identity');
  expect(service.spec?.ports?.map(({ targetPort }) => targetPort)).toEqual(['identity']);
  const policy = overlay.find<INetworkPolicy>('NetworkPolicy', 'token-broker-identity');
  expect(policy.spec?.ingress).toEqual([
    {
      from: [{ namespaceSelector: { matchLabels: { 'token-broker/identity-access': 'true' } } }],
      ports: [{ protocol: 'TCP', port }],
    },
  ]);
});
