/** What is different between two documents, member by member; a list counts as one value, as in the answers of the API. */

import type { DocumentChange } from './documents.ts';

type Json = Readonly<Record<string, unknown>>;

export function jsonDifference(before: unknown, after: unknown, pointer = ''): DocumentChange[] {
  if (isObject(before) && isObject(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...names].flatMap((name) =>
      jsonDifference(before[name], after[name], `${pointer}/${escaped(name)}`),
    );
  }
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  return [
    {
      pointer,
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
    },
  ];
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** RFC 6901. */
function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
