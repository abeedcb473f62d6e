/** Differences of two documents, a line for each leaf. */

import type { DocumentChange } from '../kit/json/document-changes.ts';
import { dotted } from '../kit/json/json-pointer.ts';
import type { Paint } from './paint.ts';
import { printable, printableJson } from './printable.ts';

export function changeLines(changes: readonly DocumentChange[], paint: Paint): readonly string[] {
  return changes.map((change) => {
    const { pointer, before, after } = change;
    const name = pointer === '' ? 'document' : printable(dotted(pointer));
    if (!('before' in change)) return paint.good(`+ ${name}: ${printableJson(after)}`);
    if (!('after' in change)) return paint.bad(`- ${name}: ${printableJson(before)}`);
    return `~ ${name}: ${printableJson(before)} -> ${printableJson(after)}`;
  });
}
