import { readPages } from './api.ts';
import type { FreezePage, ListedFreeze } from './documents.ts';

/** All that is frozen. @throws ApiProblem */
export async function readFreezes(): Promise<readonly ListedFreeze[]> {
  const found: ListedFreeze[] = [];
  await readPages<FreezePage>('/v1/freezes?limit=200', ({ items }) => {
    found.push(...items);
    return true;
  });
  return found;
}
