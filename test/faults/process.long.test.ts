import { auditRows } from '../../faults/rows/audit.ts';
import { processRows } from '../../faults/rows/process.ts';
import { describeFaults } from './describe-faults.ts';

describeFaults('faults of the disk and the process', [...auditRows, ...processRows]);
