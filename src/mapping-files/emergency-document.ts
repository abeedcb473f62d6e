/** What may stand in the emergency file: it is read strictly, for half of a deny would be none. */

import { z } from 'zod';
import { type EmergencyDenies, everything } from '../core/policy/emergency-denies.ts';
import { roleMappingSchema } from '../core/policy/role-mapping.ts';
import { jsonPointer } from '../kit/json/json-pointer.ts';
import { faultLine } from '../kit/yaml/source-fault.ts';
import { parseYaml } from '../kit/yaml/yaml-documents.ts';

export type EmergencyDocument =
  | { readonly kind: 'denies'; readonly denies: EmergencyDenies }
  | { readonly kind: 'faulty'; readonly detail: string };

const { principal, role } = roleMappingSchema.shape;
const reason = z.string().max(512).default('');

const deny = z.union(
  [
    z.strictObject({ everything: z.literal(true), reason }),
    z.strictObject({ principal, role: role.default('*'), reason }),
    z.strictObject({ token: z.string().regex(/^[\x21-\x7e]{1,128}$/), reason }),
  ],
  {
    error:
      'must have everything: true, or a principal (and perhaps a role), or a token (its jti or origin_jti); and perhaps a reason',
  },
);

/** A deny of a pool that nobody knows would deny nothing, and be believed (T129). */
function documentOf(pools: ReadonlySet<string>) {
  const known = deny.refine(
    (one) => !('principal' in one) || one.principal.pool === '*' || pools.has(one.principal.pool),
    { error: 'is none of the pools in the configuration', path: ['principal', 'pool'] },
  );
  return z.strictObject({ denies: z.array(known).max(1000) });
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** YAML or JSON; exactly one document. */
export function readEmergencyDocument(
  path: string,
  bytes: Uint8Array,
  pools: ReadonlySet<string>,
): EmergencyDocument {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return { kind: 'faulty', detail: `${path}: is not valid UTF-8` };
  }
  const { documents, faults } = parseYaml({ path, text });
  const [fault] = faults;
  if (fault !== undefined) return { kind: 'faulty', detail: faultLine(fault) };
  const [only, another] = documents;
  if (only === undefined || another !== undefined) {
    return { kind: 'faulty', detail: `${path}: must be one document` };
  }
  const parsed = documentOf(pools).safeParse(only.value);
  if (parsed.success) return { kind: 'denies', denies: deniesOf(parsed.data.denies) };
  const [issue] = parsed.error.issues;
  const pointer = jsonPointer(issue?.path ?? []);
  const place = { file: path, ...only.positionOf(pointer), pointer };
  return {
    kind: 'faulty',
    detail: faultLine({ ...place, detail: issue?.message ?? 'cannot be read' }),
  };
}

function deniesOf(listed: readonly z.output<typeof deny>[]): EmergencyDenies {
  return {
    denies: listed.flatMap((one) => {
      if ('token' in one) return [];
      const { reason } = one;
      return 'everything' in one
        ? [{ principal: everything, role: '*', reason }]
        : [{ principal: one.principal, role: one.role, reason }];
    }),
    tokens: new Set(listed.flatMap((one) => ('token' in one ? [one.token] : []))),
  };
}
