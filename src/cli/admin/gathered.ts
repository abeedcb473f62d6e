/** Every page of a list, and the one document that they would be without pages. */

import type { JsonObject } from '../../kit/json/json-object.ts';
import type { Terminal } from '../terminal.ts';
import type { AdminApiAnswer } from './admin-api.ts';

export interface Gathered<Page> {
  readonly document: JsonObject;
  readonly pages: readonly Page[];
}

/** @throws AdminApiError */
export async function gathered<Page extends { readonly items: readonly unknown[] }>(
  answers: AsyncIterable<AdminApiAnswer<Page>>,
  terminal: Terminal,
): Promise<Gathered<Page>> {
  let first: JsonObject = {};
  const pages: Page[] = [];
  const items: unknown[] = [];
  for await (const { document, answer } of answers) {
    if (pages.length === 0) first = document;
    pages.push(answer);
    items.push(...(document['items'] as readonly unknown[]));
    if (pages.length > 1) terminal.showProgress(`Reading … ${items.length}`);
  }
  terminal.showProgress('');
  const { nextCursor, ...rest } = first;
  return { document: { ...rest, items }, pages };
}
