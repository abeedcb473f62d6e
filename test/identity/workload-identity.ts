/** A kind of provider that the broker does not have: workloads, with P-256 keys and neither app clients nor groups. */

import { z } from 'zod';
import { BrokerError } from '../../src/core/errors.ts';
import { issuerName } from '../../src/core/policy/role-mapping.ts';
import type { KeyType } from '../../src/identity/keys/key-type.ts';
import type { ProviderKind, TrustedIssuer } from '../../src/identity/providers/provider.ts';

const settings = z.strictObject({
  name: issuerName,
  issuer: z.url(),
  jwksUri: z.url(),
  audience: z.string().min(1),
});

const p256: KeyType = {
  kty: 'EC',
  algorithm: 'ES256',
  members: ['x', 'y', 'crv'],
  isSound: (publicKey, { crv }) =>
    crv === 'P-256' && publicKey.asymmetricKeyDetails?.namedCurve === 'prime256v1',
};

export const workloadIdentity = {
  description: 'Workloads whose tokens are accepted.',
  settings,
  trust: ({ name, issuer, jwksUri, audience }): TrustedIssuer => ({
    name,
    id: issuer,
    issuer,
    jwksUri,
    keyType: p256,
    reach: {
      issuer,
      kind: 'workloads',
      clients: undefined,
      accessTokens: 'never',
      subject: { pattern: /^workload:/, meaning: 'must be the name of a workload' },
      emptyGroups: new Map(),
    },
    identify({ aud }) {
      if (aud !== audience) throw new BrokerError('token_client_refused');
      return { tokenUse: 'id', clientId: undefined, machine: false, groups: [], amr: [] };
    },
  }),
  productionFaults: () => [],
} satisfies ProviderKind<z.output<typeof settings>>;
