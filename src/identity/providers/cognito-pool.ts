/** What user pools and identity pools have in common: their ids begin with a region, and a region has its hosts. */

import { z } from 'zod';
import { regionPattern } from '../../core/aws-names.ts';
import { issuerName } from '../../core/policy/role-mapping.ts';
import type { EntryFault } from './provider.ts';

const region = regionPattern.source.slice(1, -1);
export const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
export const userPoolId = new RegExp(`^(${region})_[A-Za-z0-9]{1,55}$`);
export const identityPoolId = new RegExp(`^(${region}):${uuid}$`);

export const name = issuerName
  .optional()
  .describe('How role mappings call it, and the audit log; default: its id.');

export const endpointUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .refine((text) => !/[?#@]/.test(text), {
    error: 'must have no user information, query or fragment',
  });

/** An `iss` is compared letter by letter, and key sets are found below it. */
export const issuerUrl = endpointUrl.refine((text) => !text.endsWith('/'), {
  error: 'must not end with a slash: no token has it so',
});

/** Mappings of a pool that is called by the id of another would be those of the other one (T128). */
export function isOwnName(pool: { readonly pool: string; readonly name?: string | undefined }) {
  const { name: given = pool.pool } = pool;
  return given === pool.pool || !(userPoolId.test(given) || identityPoolId.test(given));
}

export const notOwnName = { error: 'is the id of another pool', path: ['name'] };

export interface OfficialPlaces {
  /** Every `iss` that the pool can have. */
  readonly issuers: readonly string[];
  /** Where the issuer has its keys. */
  readonly jwksUri: string;
}

/**
 * A pool under the issuer of another would lend its mappings to the users of that other one, and a key set
 * from elsewhere lets whoever writes it sign for anybody (T88).
 */
export function* placeFaults(
  { issuer, jwksUri }: { readonly issuer: string; readonly jwksUri?: string | undefined },
  official: OfficialPlaces,
): Generator<EntryFault> {
  if (!official.issuers.includes(issuer)) {
    const detail = `is no issuer of this pool: in the production profile it is ${official.issuers.join(' or ')}`;
    yield { setting: 'issuer', detail };
  }
  if (jwksUri !== undefined && jwksUri !== official.jwksUri) {
    const detail =
      'must be left out, or be where the issuer has its keys, in the production profile';
    yield { setting: 'jwksUri', detail };
  }
}

export const commonSuffix = 'amazonaws.com';

/** By the beginning of a region's name: https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html */
const suffixes: readonly (readonly [prefix: string, suffix: string])[] = [
  ['cn-', 'amazonaws.com.cn'],
  ['eusc-', 'amazonaws.eu'],
  ['us-iso-', 'c2s.ic.gov'],
  ['us-isob-', 'sc2s.sgov.gov'],
  ['us-isof-', 'csp.hci.ic.gov'],
  ['eu-isoe-', 'cloud.adc-e.uk'],
];

export function dnsSuffix(regionName: string): string {
  return suffixes.find(([prefix]) => regionName.startsWith(prefix))?.[1] ?? commonSuffix;
}
