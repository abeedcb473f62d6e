/** JSON Schemas of the two kinds of files, for editors: made from the schemas that check them. */

import { z } from 'zod';
import { conditions } from '../core/policy/conditions/conditions.ts';
import { roleMappingSchema } from '../core/policy/role-mapping.ts';
import { sessionPolicySchema } from './session-policy-schema.ts';
import { testFileSchema } from './test-file.ts';

export const jsonSchemaNames = ['role-mapping', 'role-mapping-test'] as const;
export type JsonSchemaName = (typeof jsonSchemaNames)[number];

export function jsonSchemaFile(name: JsonSchemaName): string {
  return `${name}.v1.json`;
}

export function jsonSchemaText(name: JsonSchemaName): string {
  const { title, schema, parts = {}, descriptions, patterns = {} } = documents[name];
  const document = z.toJSONSchema(schema, { io: 'input' });
  for (const [path, part] of Object.entries(parts)) Object.assign(memberAt(document, path), part);
  for (const [path, words] of Object.entries(patterns)) explain(document, path, words);
  for (const [path, description] of Object.entries(descriptions))
    memberAt(document, path).description = description;
  return `${JSON.stringify({ $schema: document.$schema, title, ...document }, null, 2)}\n`;
}

interface SchemaDocument {
  readonly title: string;
  readonly schema: z.ZodType;
  /** By dotted path of a member; `[]` stands for the items of a list. */
  readonly descriptions: Readonly<Record<string, string>>;
  /** By path: what an editor says of a text that does not fit, instead of the regular expression. */
  readonly patterns?: Readonly<Record<string, string>>;
  /** By path: schemas of what is checked by a grammar of its own. */
  readonly parts?: Readonly<Record<string, object>>;
}

const documents: Readonly<Record<JsonSchemaName, SchemaDocument>> = {
  'role-mapping': {
    title: 'Role mapping of token-broker',
    schema: roleMappingSchema.extend({
      managedBy: roleMappingSchema.shape.managedBy.unwrap().default('git'),
    }),
    parts: { 'session.policy': sessionPolicySchema },
    patterns: {
      id: 'Lower-case letters, digits and hyphens, at most 63; the first is no hyphen.',
      role: 'Write the ARN of one IAM role, such as arn:aws:iam::123456789012:role/broker/orders-writer: twelve digits of the account, "role/", then path and name. There are no wildcards.',
      'session.policyArns[]':
        'Write the ARN of one managed policy, such as arn:aws:iam::aws:policy/ReadOnlyAccess.',
      owner: 'Letters, digits and _ . @ / -, at most 128.',
    },
    descriptions: {
      id: 'Also a name by which callers may ask for the mapping.',
      description: 'For people.',
      principal: 'A pool, and one of client, user (the sub), group, or (deny only) any: true.',
      effect: 'A deny that matches wins over every allow.',
      role: 'ARN of one IAM role; a deny may say "*" for every role.',
      conditions: 'All must hold.',
      ...Object.fromEntries(
        Object.entries(conditions).map(([name, { description }]) => [
          `conditions.${name}`,
          description,
        ]),
      ),
      session: 'What the credentials will be like.',
      'session.durationSeconds': 'Lifetime, unless the caller asks for another one.',
      'session.maxDurationSeconds': 'What a caller may ask for at most.',
      'session.name':
        'RoleSessionName; may hold {sub}, {client}, {mapping} and {requested} (what the caller asked for).',
      'session.policy':
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a claim reference of a session policy
        'IAM session policy that narrows the role; may hold ${claim:NAME} in resources and conditions.',
      'session.policyArns': 'Managed policies that narrow the role.',
      'session.callerPolicy':
        'true lets a caller bring a session policy that narrows the role further; not beside policy or policyArns.',
      'session.identity':
        'Which token STS is shown: the own one of the caller, or one that the broker issues. Default: as configured.',
      'session.tags':
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a claim reference
        'Session tags by key; a value may hold one ${claim:NAME}. With the identity of the broker only, as are the next two.',
      'session.transitiveTags':
        'Keys of tags that stay on when the session assumes a further role.',
      'session.sourceIdentity':
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a claim reference
        'Source identity, which CloudTrail shows for good; may hold one ${claim:NAME}.',
      precedence: 'Of equally specific allows for one role the lowest wins.',
      owner: 'The team to ask.',
      managedBy:
        'git: this file is where the mapping is edited. api: the file is a copy, and never applied.',
      enabled: 'false keeps the mapping and its history, without effect.',
    },
  },
  'role-mapping-test': {
    title: 'Tests of role mappings of token-broker',
    schema: testFileSchema,
    descriptions: {
      now: 'Time of every test that has none of its own.',
      tests: 'Each must come out as expected.',
      'tests[].name': 'What is guaranteed.',
      'tests[].now': 'Time of the request; default: that of the file, else the present.',
      'tests[].caller': 'The identity that a token would prove.',
      'tests[].caller.pool': 'Issuer, as the configuration calls it.',
      'tests[].caller.client': 'App client.',
      'tests[].caller.user': 'The sub; without it the caller is the app client itself.',
      'tests[].request': 'What is asked for.',
      'tests[].request.role': 'Id of a mapping or ARN of a role; default: the only one allowed.',
      'tests[].request.sourceIp': 'Address of the caller.',
      'tests[].expect': 'Members that are left out are not compared.',
    },
  },
};

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** @throws TypeError if there is no such member. */
function memberAt(schema: JsonSchema, path: string): JsonSchema {
  const member = path.split('.').reduce<JsonSchema | undefined>(memberOf, schema);
  if (member === undefined) throw new TypeError(`the schema has no member ${path}`);
  return member;
}

/** `patternErrorMessage` is what the language servers of editors for JSON and YAML show; others pass over it. */
function explain(schema: JsonSchema, path: string, words: string): void {
  const member = memberAt(schema, path);
  const branches = [member, ...((member.anyOf ?? []) as JsonSchema[])];
  const patterned = branches.find(({ pattern }) => pattern !== undefined);
  if (patterned === undefined) throw new TypeError(`the schema has no pattern at ${path}`);
  Object.assign(patterned, { patternErrorMessage: words });
}

function memberOf(schema: JsonSchema | undefined, step: string): JsonSchema | undefined {
  const [, name = '', items] = /^(\w+)(\[\])?$/.exec(step) ?? [];
  const member = schema?.properties?.[name] as JsonSchema | undefined;
  return items === undefined ? member : (member?.items as JsonSchema | undefined);
}
