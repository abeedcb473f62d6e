import type { Row } from './row.ts';
import { auditRows } from './rows/audit.ts';
import { auditLeaseRows } from './rows/audit-lease.ts';
import { capacityRows } from './rows/capacity.ts';
import { changingPolicyRows } from './rows/changing-policy.ts';
import { keyRows } from './rows/keys.ts';
import { mixedFormsRows } from './rows/mixed-forms.ts';
import { overloadRows } from './rows/overload.ts';
import { ownIdentityRows } from './rows/own-identity.ts';
import { pipeliningRows } from './rows/pipelining.ts';
import { processRows } from './rows/process.ts';
import { sessionRows } from './rows/sessions.ts';
import { strangerRows } from './rows/strangers.ts';
import { stsRows } from './rows/sts.ts';
import { tableRows } from './rows/table.ts';
import { tableSealRows } from './rows/table-seal.ts';
import { tlsRows } from './rows/tls.ts';

/** In the order of the table. */
export const rows: readonly Row[] = [
  ...stsRows,
  ...tableRows,
  ...tableSealRows,
  ...keyRows,
  ...ownIdentityRows,
  ...auditRows,
  ...auditLeaseRows,
  ...strangerRows,
  ...sessionRows,
  ...changingPolicyRows,
  ...mixedFormsRows,
  ...processRows,
  ...tlsRows,
  ...capacityRows,
  ...overloadRows,
  ...pipeliningRows,
];
