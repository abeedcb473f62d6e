/** Every page of a list, and the one document that they would be without pages. */

import type { JsonObject } from '../../kit/json/json-object.ts';
import type { Terminal } from '../terminal.ts';
import type { AdminApiAnswer } from './admin-api.ts';

export interface Gathered<Page extends ListPage> {
  readonly document: JsonObject;
  readonly items: readonly Page['items'][number][];
  /** For what is said besides. */
  readonly first: Page | undefined;
}

interface ListPage {
  readonly items: readonly unknown[];
}

/** @throws AdminApiError */
export async function gathered<Page extends ListPage>(
  answers: AsyncIterable<AdminApiAnswer<Page>>,
  terminal: Terminal,
): Promise<Gathered<Page>> {
  let first: AdminApiAnswer<Page> | undefined;
  const documents: unknown[] = [];
  const items: Page['items'][number][] = [];
  for await (const page of answers) {
    documents.push(...(page.document['items'] as readonly unknown[]));
    items.push(...page.answer.items);
    if (first !== undefined) terminal.showProgress(`Reading … ${items.length}`);
    first ??= page;
  }
  terminal.showProgress('');
  const { nextCursor, ...rest } = first?.document ?? {};
  return { document: { ...rest, items: documents }, items, first: first?.answer };
}
