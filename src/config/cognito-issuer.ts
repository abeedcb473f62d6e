/** Which `iss` and which key set a pool of Cognito can have: a production configuration may name no others. */

import type { Config } from './schema.ts';
import type { SettingFault } from './settings.ts';

/**
 * A pool under the issuer of another would lend its mappings to the users of that other one, and a key set
 * from elsewhere lets whoever writes it sign for anybody (T88).
 */
export function checkIssuers({ userPools, identityPools }: Config['identity']): SettingFault[] {
  return [
    ...userPools.flatMap(({ pool, issuer, jwksUri }, index) => [
      ...faultsOf(`identity.userPools.${index}`, {
        issuer,
        forms: userPoolIssuers(pool),
        jwksUri,
        keys: `${issuer}/.well-known/jwks.json`,
      }),
    ]),
    ...identityPools.flatMap(({ pool, issuer, jwksUri }, index) => [
      ...faultsOf(`identity.identityPools.${index}`, {
        issuer,
        forms: identityPoolIssuers(pool),
        jwksUri,
        keys: `${issuer}/.well-known/jwks_uri`,
      }),
    ]),
  ];
}

interface Found {
  readonly issuer: string;
  readonly forms: readonly string[];
  readonly jwksUri: string | undefined;
  readonly keys: string;
}

function* faultsOf(path: string, { issuer, forms, jwksUri, keys }: Found): Generator<SettingFault> {
  if (forms.length === 0) {
    yield { path: `${path}.pool`, detail: 'is the id of the other kind of pool' };
  } else if (!forms.includes(issuer)) {
    const detail = `is no issuer of this pool: in the production profile it is ${forms.join(' or ')}`;
    yield { path: `${path}.issuer`, detail };
  }
  if (jwksUri !== undefined && jwksUri !== keys) {
    const detail =
      'must be left out, or be where the issuer has its keys, in the production profile';
    yield { path: `${path}.jwksUri`, detail };
  }
}

/**
 * https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html: the original form, and the
 * one of pools that span regions, which names the region in which the pool was made.
 */
function userPoolIssuers(pool: string): readonly string[] {
  const region = regionOf(pool, '_');
  if (region === undefined) return [];
  const host = `cognito-idp.${region}.${dnsSuffix(region)}`;
  return [`https://${host}/${pool}`, `https://issuer-${host}/${pool}`];
}

/** One for all identity pools of a partition, apart from those that have one for each region. */
function identityPoolIssuers(pool: string): readonly string[] {
  const region = regionOf(pool, ':');
  if (region === undefined) return [];
  const regional = `https://cognito-identity.${region}.${dnsSuffix(region)}`;
  if (region.startsWith('us-gov-'))
    return ['https://cognito-identity-us-gov.amazonaws.com', regional];
  return dnsSuffix(region) === commonSuffix
    ? [`https://cognito-identity.${commonSuffix}`]
    : [regional];
}

/** Undefined for an id of the other kind. */
function regionOf(pool: string, separator: '_' | ':'): string | undefined {
  return pool.includes(separator) ? pool.slice(0, pool.indexOf(separator)) : undefined;
}

const commonSuffix = 'amazonaws.com';

/** By the beginning of a region's name: https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html */
const suffixes: readonly (readonly [prefix: string, suffix: string])[] = [
  ['cn-', 'amazonaws.com.cn'],
  ['eusc-', 'amazonaws.eu'],
  ['us-iso-', 'c2s.ic.gov'],
  ['us-isob-', 'sc2s.sgov.gov'],
  ['us-isof-', 'csp.hci.ic.gov'],
  ['eu-isoe-', 'cloud.adc-e.uk'],
];

function dnsSuffix(region: string): string {
  return suffixes.find(([prefix]) => region.startsWith(prefix))?.[1] ?? commonSuffix;
}
