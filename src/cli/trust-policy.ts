/** `trust-policy`: what a role must trust, so that its mappings work and nobody else gets in. */

import { trustedIssuersOf } from '../config/configured-issuers.ts';
import { webIdentityRules, writingRules } from '../config/mapping-rules.ts';
import type { Config } from '../config/schema.ts';
import { roleArnPattern } from '../core/aws-names.ts';
import type { RoleMapping } from '../core/policy/role-mapping.ts';
import {
  type PoolTokens,
  resourceControlPolicy,
  trustPolicy,
} from '../web-identity/trust-policy.ts';
import { readMappingFolder } from './mapping-sources.ts';
import { loadMappings, withMappingTable } from './mapping-table.ts';
import { exitCodes, type Output } from './output.ts';
import { type PolicyFormat, policyText } from './policy-text.ts';
import { printable } from './printable.ts';
import type { Terminal } from './terminal.ts';

export interface TrustPolicyOptions {
  readonly config: Config;
  /** Undefined prints the policy for the whole organization. */
  readonly role: string | undefined;
  /** Folder with mappings; undefined reads the table. */
  readonly mappings: string | undefined;
  readonly format: PolicyFormat;
  readonly sourceVpce: string | undefined;
  readonly output: Output;
  readonly terminal: Terminal;
}

/**
 * Exit code: 0 printed; 1 no mapping allows the role, or the mappings have faults; 2 wrong usage.
 *
 * @throws BrokerError `table_unavailable`
 */
export async function trustPolicyCommand(options: TrustPolicyOptions): Promise<number> {
  const { config, role, format, sourceVpce, output } = options;
  const { webIdentity } = config;
  if (role === undefined) {
    if (webIdentity === undefined) {
      output.err(
        'The policy of an organization is for tokens of the broker: configure webIdentity.\n',
      );
      return exitCodes.usage;
    }
    output.out(policyText(resourceControlPolicy(webIdentity.issuer), format));
    return exitCodes.ok;
  }
  if (!roleArnPattern.test(role)) {
    output.err('--role must be the ARN of one IAM role.\n');
    return exitCodes.usage;
  }
  const mappings = await mappingsOf(options);
  if (mappings === undefined) return exitCodes.failed;
  const policy = trustPolicy(role, mappings, {
    byDefault: webIdentityRules(config).byDefault,
    broker: webIdentity,
    pools: poolTokens(config),
    sourceVpce,
  });
  if (policy.Statement.length === 0) {
    output.err(
      'No role mapping in force allows this role: there is nothing that it should trust.\n',
    );
    return exitCodes.failed;
  }
  output.out(policyText(policy, format));
  return exitCodes.ok;
}

/** Undefined after the faults were printed. */
async function mappingsOf({
  config,
  mappings: folder,
  output,
  terminal,
}: TrustPolicyOptions): Promise<readonly RoleMapping[] | undefined> {
  if (folder === undefined) {
    const { rows } = await withMappingTable(config, (table) => loadMappings(table, terminal));
    return rows.map(({ stored }) => stored.mapping);
  }
  const { mappings, faults } = readMappingFolder(folder, writingRules(config));
  for (const { file, line, col, pointer, detail } of faults) {
    output.err(`${printable(`${file}:${line}:${col}: ${pointer} ${detail}`)}\n`);
  }
  return faults.length === 0 ? mappings.map(({ mapping }) => mapping) : undefined;
}

/** A pool whose tokens come under two issuers is two providers to IAM. */
function poolTokens({ identity }: Config): ReadonlyMap<string, readonly PoolTokens[]> {
  const pools = new Map<string, readonly PoolTokens[]>();
  for (const { name, issuer, shared, reach } of trustedIssuersOf(identity)) {
    const audiences = shared === undefined ? [...(reach.clients ?? [])] : [shared.audience];
    pools.set(name, [...(pools.get(name) ?? []), { issuer, audiences }]);
  }
  return pools;
}
