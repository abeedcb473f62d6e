import { z } from 'zod';

/** A list in which a second copy is a slip: something else was meant, or one of the two will be overlooked. */
export function distinctList<Item extends z.ZodType<string>>(item: Item): z.ZodArray<Item> {
  return z
    .array(item)
    .superRefine((items, { addIssue }) => {
      const seen = new Set<string>();
      for (const [index, value] of items.entries()) {
        if (seen.has(value)) addIssue({ code: 'custom', path: [index], message: 'is there twice' });
        seen.add(value);
      }
    })
    .meta({ uniqueItems: true });
}
