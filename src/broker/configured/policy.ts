/** The policy as configuration describes it: the table, what follows it, and the emergency file that is laid over it. */

import { EmergencyRecords } from '../../audit/emergency-records.ts';
import { mappingRules } from '../../config/mapping-rules.ts';
import type { Config } from '../../config/schema.ts';
import type { AuditLog } from '../../core/ports.ts';
import { createDynamoDbClient, type DynamoDbTimeouts } from '../../dynamodb/dynamodb-client.ts';
import { PolicySync } from '../../dynamodb/policy-sync.ts';
import { RoleMappingTable } from '../../dynamodb/role-mapping-table.ts';
import type { TableSeal } from '../../dynamodb/table-seal.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import { EmergencyFile } from '../../mapping-files/emergency-file.ts';
import type { Observers } from '../observers.ts';
import type { RunningSettings } from '../running-settings.ts';

export interface TableTimeouts extends DynamoDbTimeouts {
  /** For one edit, waiting for other edits included. */
  readonly writeTimeoutMs?: number;
}

export interface ConfiguredPolicyOptions {
  readonly config: Config;
  readonly running: RunningSettings;
  readonly clock: Clock;
  readonly version: string;
  /** Default: those of production. */
  readonly tableTimeouts?: TableTimeouts | undefined;
  readonly observe: Pick<Observers, 'table' | 'policy' | 'emergency'>;
}

export function configuredTable(
  { config, clock, observe, tableTimeouts: timeouts }: ConfiguredPolicyOptions,
  seal: TableSeal | undefined,
) {
  const { table, region, endpoint } = config.policy;
  const client = createDynamoDbClient({ region, endpoint, timeouts });
  const rules = mappingRules(config);
  return {
    client,
    table: new RoleMappingTable({
      client,
      tableName: table,
      rules,
      clock,
      seal,
      writeTimeoutMs: timeouts?.writeTimeoutMs,
      observer: observe.table,
    }),
  };
}

export interface PolicySyncParts {
  readonly table: RoleMappingTable;
  readonly seal: TableSeal | undefined;
  readonly onChange: () => void;
}

export function configuredPolicySync(
  { config, clock, observe, version }: ConfiguredPolicyOptions,
  { table, seal, onChange }: PolicySyncParts,
): PolicySync {
  const { pollSeconds, reloadSeconds, maxAgeSeconds, snapshotFile, acceptShrink } = config.policy;
  return new PolicySync({
    table,
    rules: mappingRules(config),
    program: version,
    clock,
    observer: {
      ...observe.policy,
      onApplied(event) {
        observe.policy.onApplied?.(event);
        onChange();
      },
    },
    pollIntervalMs: pollSeconds * 1000,
    reloadSeconds,
    maxAgeSeconds,
    acceptShrink,
    seal,
    snapshotFile,
  });
}

/** Undefined where the configuration has none. Its denies are in force before they are on record. */
export function configuredEmergencyFile(
  { config, running, clock, observe }: ConfiguredPolicyOptions,
  audit: AuditLog,
  onChange: () => void,
) {
  const { emergencyFile: path } = config.policy;
  if (path === undefined) return undefined;
  const records = new EmergencyRecords({ audit, clock });
  const file = new EmergencyFile({
    path,
    pools: new Set(running.now.issuers.map(({ name }) => name)),
    clock,
    onUnknown: observe.emergency.onUnknown,
    onChange(change) {
      onChange();
      observe.emergency.onChange(change);
      const { state: outcome, denies, sha256: fileSha256, detail } = change;
      records.add({ outcome, ...denies, tokens: [...denies.tokens], fileSha256, detail });
    },
  });
  return { file, records };
}
