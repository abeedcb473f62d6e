/** Every check there is, in the order in which they are made and printed. */

import type { Check } from './check.ts';
import { audiences } from './checks/audiences.ts';
import { brokerPermissions } from './checks/broker-permissions.ts';
import { credentials } from './checks/credentials.ts';
import { exchange } from './checks/exchange.ts';
import { discovery, keySet } from './checks/issuer-documents.ts';
import { kmsKey, kmsKeyPolicy } from './checks/kms-key.ts';
import { issuer, provider } from './checks/provider.ts';
import { sessionDuration } from './checks/session-duration.ts';
import { sessionPolicy } from './checks/session-policy.ts';
import { clock, stsEndpoint } from './checks/sts-endpoint.ts';
import { table, tableDeletionProtection, tableRecovery } from './checks/table.ts';
import { token, tokenKey } from './checks/token.ts';
import { tokenShape } from './checks/token-shape.ts';
import { trustPolicyIsClosed } from './checks/trust-open.ts';
import { trustPolicyLetsIn } from './checks/trust-policy.ts';

export const checks = {
  credentials,
  'sts-endpoint': stsEndpoint,
  clock,
  provider,
  issuer,
  audiences,
  discovery,
  'key-set': keySet,
  'token-shape': tokenShape,
  token,
  'token-key': tokenKey,
  'trust-policy': trustPolicyLetsIn,
  'trust-policy-open': trustPolicyIsClosed,
  'session-duration': sessionDuration,
  'session-policy': sessionPolicy,
  table,
  'table-recovery': tableRecovery,
  'table-deletion-protection': tableDeletionProtection,
  'kms-key': kmsKey,
  'kms-key-policy': kmsKeyPolicy,
  'broker-permissions': brokerPermissions,
  exchange,
  // Add new ones here: test/doctor/faults.ts asks for a fault that each names.
} satisfies Record<string, Check>;

export type CheckId = keyof typeof checks;
export const checkIds = Object.keys(checks) as readonly CheckId[];
