import { auditRows } from '../../faults/rows/audit.ts';
import { auditLeaseRows } from '../../faults/rows/audit-lease.ts';
import { processRows } from '../../faults/rows/process.ts';
import { strangerRows } from '../../faults/rows/strangers.ts';
import { tlsRows } from '../../faults/rows/tls.ts';
import { describeFaults } from './describe-faults.ts';

describeFaults('faults of the disk and the process', [
  ...auditRows,
  ...auditLeaseRows,
  ...strangerRows,
  ...processRows,
  ...tlsRows,
]);
