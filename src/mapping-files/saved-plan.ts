/** A plan as a file: what was reviewed is what gets applied. */

import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { roleMappingSchema } from '../core/policy/role-mapping.ts';
import { asciiJson } from '../kit/json/ascii-json.ts';
import { documentChanges } from '../kit/json/document-changes.ts';
import { isJsonPointer, type JsonPointer } from '../kit/json/json-pointer.ts';
import type { MappingPlan, TableContents } from './mapping-plan.ts';

export interface TableName {
  readonly name: string;
  readonly region: string;
  /** Null: the regional one. */
  readonly endpoint: string | null;
}

export interface SavedPlan extends MappingPlan {
  readonly table: TableName;
}

const format = 'token-broker-mapping-plan/1';

const mappingId = roleMappingSchema.shape.id;
const version = z.int().min(1);
const documentChange = z.strictObject({
  pointer: z.custom<JsonPointer>(isJsonPointer),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
});

const change = z
  .strictObject({
    action: z.enum(['create', 'replace', 'delete']),
    id: mappingId,
    version: version.nullable(),
    source: z.string().nullable(),
    before: z.unknown(),
    after: roleMappingSchema.nullable(),
    differences: z.array(documentChange),
  })
  .refine((change) => isConsistent(change) && saysWhatItDoes(change), {
    error: 'contradicts itself',
  });

const savedPlan = z.strictObject({
  format: z.literal(format),
  table: z.strictObject({
    name: z.string(),
    region: z.string(),
    endpoint: z.string().nullable(),
  }),
  revision: z.int().min(0),
  owners: z.array(z.string()),
  changes: z.array(change),
  unchanged: z.int().min(0),
  notInFiles: z.array(z.strictObject({ id: z.string(), version: z.int().min(0) })),
});

export function printPlan({ table, ...plan }: SavedPlan): string {
  return `${asciiJson(JSON.stringify({ format, table, ...plan }, null, 2))}\n`;
}

/** Undefined if the text is no plan that this version has written. */
export function parsePlan(text: string): SavedPlan | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = savedPlan.safeParse(document);
  if (!parsed.success) return undefined;
  const { format: _format, ...plan } = parsed.data;
  return plan as SavedPlan;
}

/** Ids with more than one change, in their order: a plan has one for each, and the second would be of a version that is gone. */
export function repeated({ changes }: MappingPlan): readonly string[] {
  const seen = new Set<string>();
  const again = changes.map(({ id }) => id).filter((id) => seen.size === seen.add(id).size);
  return [...new Set(again)];
}

/** Ids of the changes that start from something else than the table has: what they show is not what would happen. */
export function misrepresented({ changes }: MappingPlan, { rows }: TableContents): string[] {
  const documents = new Map(rows.map(({ id, document }) => [id, document]));
  return changes
    .filter(({ id, before }) => documentChanges(before ?? {}, documents.get(id) ?? {}).length > 0)
    .map(({ id }) => id);
}

/** Whoever confirms a plan reads the differences, and what is written is the whole document (T108). */
function saysWhatItDoes({
  before,
  after,
  differences,
}: Pick<MappingPlan['changes'][number], 'before' | 'after' | 'differences'>): boolean {
  return isDeepStrictEqual(asJson(differences), asJson(documentChanges(before ?? {}, after ?? {})));
}

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

interface ChangeFacts {
  readonly action: string;
  readonly id: string;
  readonly version: number | null;
  readonly after: { readonly id: string } | null;
}

function isConsistent({ action, id, version: base, after }: ChangeFacts): boolean {
  const creates = action === 'create';
  const deletes = action === 'delete';
  return (base === null) === creates && (after === null) === deletes && (after?.id ?? id) === id;
}
