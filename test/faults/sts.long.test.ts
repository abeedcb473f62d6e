import { stsRows } from '../../faults/rows/sts.ts';
import { describeFaults } from './describe-faults.ts';

describeFaults('faults of STS', stsRows);
