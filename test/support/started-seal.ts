/** Seals of change logs as brokers and editors have them. */

import { TableSeal, type TableSealOptions } from '../../src/dynamodb/table-seal.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';

const started: TableSeal[] = [];

/** Until `stopSeals`. */
export async function startSeal(
  options: Pick<TableSealOptions, 'name' | 'publicKeyFiles'> & Partial<TableSealOptions>,
): Promise<TableSeal> {
  const seal = new TableSeal({ signTimeoutMs: 5_000, clock: systemClock, ...options });
  started.push(seal);
  await seal.start();
  return seal;
}

export function stopSeals(): void {
  for (const seal of started.splice(0)) seal.stop();
}
