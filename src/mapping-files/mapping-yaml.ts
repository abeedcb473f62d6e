/** A role mapping as a file: in the order of the schema, without what is the default anyway. */

import { stringify } from 'yaml';
import { type RoleMapping, roleMappingSchema } from '../core/policy/role-mapping.ts';
import { asciiJson } from '../kit/json/ascii-json.ts';
import { documentChanges } from '../kit/json/document-changes.ts';
import { unprintable } from '../kit/text/unprintable.ts';
import { parseYaml } from '../kit/yaml/yaml-documents.ts';

/**
 * Reads back as the same document, whatever characters are in it. `side` is the `managedBy` that is meant where the text
 * has none: git in a file that is applied, api in what is sent to the API.
 */
export function mappingYaml(mapping: RoleMapping, side: RoleMapping['managedBy'] = 'git'): string {
  const document = withoutDefaults(mapping, side);
  const text = stringify(document, stringifyOptions);
  const parsed = parseYaml({ path: '', text });
  const faithful = documentChanges(parsed.documents[0]?.value, document).length === 0;
  // JSON is YAML, and in ASCII there is nothing that two programs could read differently, or that acts on a terminal.
  const shown = text.split('\n').every((line) => !unprintable.test(line));
  return faithful && shown ? text : `${asciiJson(JSON.stringify(document, null, 2))}\n`;
}

const stringifyOptions = {
  version: '1.2',
  // Puts quotes around what a YAML 1.1 reader would take for a date, a number or a boolean.
  compat: 'yaml-1.1',
  lineWidth: 0,
  aliasDuplicateObjects: false,
} as const;

function withoutDefaults(
  mapping: RoleMapping,
  managedBy: RoleMapping['managedBy'],
): Record<string, unknown> {
  const { id, principal, effect, role, owner } = mapping;
  const required = { id, principal, effect, role, owner };
  const defaults = roleMappingSchema.parse(required);
  const session = differing(mapping.session, defaults.session);
  const others = differing({ ...mapping, session }, { ...defaults, session: {}, managedBy });
  const kept = { ...required, ...others };
  // In the order in which the schema has them.
  return Object.fromEntries(
    Object.keys(mapping)
      .filter((name) => Object.hasOwn(kept, name))
      .map((name) => [name, kept[name as keyof typeof kept]]),
  );
}

function differing(members: object, defaults: object): Record<string, unknown> {
  const known = new Map(Object.entries(defaults));
  return Object.fromEntries(
    Object.entries(members).filter(
      ([name, value]) => documentChanges(known.get(name), value).length > 0,
    ),
  );
}
