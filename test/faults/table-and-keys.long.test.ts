import { keyRows } from '../../faults/rows/keys.ts';
import { tableRows } from '../../faults/rows/table.ts';
import { tableSealRows } from '../../faults/rows/table-seal.ts';
import { describeFaults } from './describe-faults.ts';

describeFaults('faults of the role-mapping table and the issuer', [
  ...tableRows,
  ...tableSealRows,
  ...keyRows,
]);
