import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { failureModes, keptIn } from '../../faults/report.ts';
import { rows } from '../../faults/rows.ts';

const page = readFileSync(new URL('../../docs/failure-modes.md', import.meta.url), 'utf8');

describe('docs/failure-modes.md', () => {
  it('says what the rows of the fault laboratory say, with the figures of the last runs', () => {
    expect(page).toBe(failureModes(rows, keptIn(page)));
  });

  it('has a figure for every row', () => {
    const measured = keptIn(page).results.map(({ id }) => id);
    expect(rows.map(({ id }) => id).filter((id) => !measured.includes(id))).toEqual([]);
  });
});
