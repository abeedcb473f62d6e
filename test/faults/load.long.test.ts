import { capacityRows } from '../../faults/rows/capacity.ts';
import { overloadRows } from '../../faults/rows/overload.ts';
import { pipeliningRows } from '../../faults/rows/pipelining.ts';
import { describeFaults } from './describe-faults.ts';

describeFaults('too many at once', [...capacityRows, ...overloadRows, ...pipeliningRows]);
