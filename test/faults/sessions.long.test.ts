import { changingPolicyRows } from '../../faults/rows/changing-policy.ts';
import { mixedFormsRows } from '../../faults/rows/mixed-forms.ts';
import { sessionRows } from '../../faults/rows/sessions.ts';
import { describeFaults } from './describe-faults.ts';

describeFaults('T66, T67, T69, T148: sessions while callers and administrators are busy', [
  ...sessionRows,
  ...changingPolicyRows,
  ...mixedFormsRows,
]);
