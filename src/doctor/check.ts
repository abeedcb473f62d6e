import type { Examination } from './examination.ts';
import type { Finding } from './finding.ts';

/** One question to an account. It changes nothing. */
export interface Check {
  /** What it looks at, for people. */
  readonly about: string;
  /** IAM actions that it needs. */
  readonly permissions: readonly string[];
  /** Empty where there is nothing of the kind. */
  run(examination: Examination): Promise<readonly Finding[]>;
}

/** What is found of each of them, all at once, in their order. */
export async function ofEach<Item>(
  items: readonly Item[],
  find: (item: Item) => Promise<Finding | readonly Finding[]>,
): Promise<readonly Finding[]> {
  return (await Promise.all(items.map(find))).flat();
}
