/** The short form of the fault laboratory: outcomes and invariants; `npm run faults` measures the figures. */

import { afterAll, describe, expect, it } from '@jest/globals';
import { isFailure } from '../../faults/report.ts';
import { type Row, RowRunner, runsHere } from '../../faults/row.ts';

export function describeFaults(name: string, rows: readonly Row[]): void {
  const runner = new RowRunner({ long: false });
  afterAll(() => runner.stop());

  describe(name, () => {
    const cases = rows.filter(runsHere).map((row) => [row.fault, row.promise, row] as const);

    it.each(cases)(
      '%s: %s',
      async (_fault, _promise, row) => {
        const result = await runner.run(row);
        const { seen, notes, violations } = result;
        expect({ failed: isFailure(result), seen, notes, violations }).toEqual({
          failed: false,
          seen,
          notes,
          violations: [],
        });
      },
      90_000,
    );
  });
}
