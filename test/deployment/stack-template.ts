import { readFileSync } from 'node:fs';
import {
  type CollectionTag,
  type Node,
  Pair,
  parseDocument,
  Scalar,
  type ScalarTag,
  visit,
  YAMLMap,
} from 'yaml';

export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [name: string]: Json };

export type Attributes = Readonly<Record<string, Json>>;

export interface Resource {
  readonly Type: string;
  readonly Condition?: string;
  readonly DeletionPolicy?: string;
  readonly Properties: Attributes;
}

interface Rule {
  readonly RuleCondition: Json;
  readonly Assertions: readonly { readonly Assert: Json; readonly AssertDescription: string }[];
}

export interface StackTemplate {
  readonly Parameters: Readonly<Record<string, { readonly Default?: Json }>>;
  readonly Conditions: Attributes;
  readonly Rules?: Readonly<Record<string, Rule>>;
  readonly Resources: Readonly<Record<string, Resource>>;
}

export function readTemplate(name = 'token-broker'): StackTemplate {
  const text = readFileSync(new URL(`../../aws/${name}.yaml`, import.meta.url), 'utf8');
  const document = parseDocument(text, { customTags: shortForms });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw problem;
  visit(document, { Node: longForm });
  return document.toJS() as StackTemplate;
}

/** A resource's properties, with parameters and functions put in. A reference to a resource becomes `<Name>`. */
export function resolveProperties(
  template: StackTemplate,
  resource: string,
  parameters: Readonly<Record<string, string>>,
): Attributes {
  const names: Record<string, Json> = { ...pseudoParameters };
  for (const [name, { Default }] of Object.entries(template.Parameters)) {
    if (Default !== undefined) names[name] = Default;
  }
  Object.assign(names, parameters);
  for (const name of Object.keys(template.Resources)) names[name] = `<${name}>`;
  const scope = { names, conditions: template.Conditions };
  return resolve(template.Resources[resource]?.Properties ?? {}, scope) as Attributes;
}

/** What CloudFormation would refuse these parameters with, before it makes anything. */
export function refusals(
  template: StackTemplate,
  parameters: Readonly<Record<string, string>>,
): readonly string[] {
  const defaults = Object.entries(template.Parameters).map(([name, { Default = '' }]) => [
    name,
    Default,
  ]);
  const names = { ...(Object.fromEntries(defaults) as Attributes), ...parameters };
  const scope = { names, conditions: template.Conditions };
  return Object.values(template.Rules ?? {})
    .filter(({ RuleCondition }) => resolve(RuleCondition, scope) === true)
    .flatMap(({ Assertions }) => Assertions)
    .filter(({ Assert }) => resolve(Assert, scope) !== true)
    .map(({ AssertDescription }) => AssertDescription);
}

const pseudoParameters = {
  'AWS::Partition': 'aws',
  'AWS::Region': 'us-east-1',
  'AWS::AccountId': '111122223333',
};

interface Scope {
  readonly names: Attributes;
  readonly conditions: Attributes;
}

function resolve(value: Json, scope: Scope): Json {
  if (isList(value)) return value.map((item) => resolve(item, scope));
  if (typeof value !== 'object' || value === null) return value;
  const [[name, argument] = ['', null]] = Object.entries(value);
  const apply = functions[name];
  if (apply !== undefined) return apply(argument, scope);
  return Object.fromEntries(
    Object.entries(value).map(([member, content]) => [member, resolve(content, scope)]),
  );
}

const functions: Readonly<Record<string, (argument: Json, scope: Scope) => Json>> = {
  Ref: (name, scope) => lookUp(String(name), scope),
  'Fn::GetAtt': (name) => `<${String(name)}>`,
  'Fn::Sub': (argument, scope) => {
    const [text, own] = isList(argument) ? argument : [argument];
    const locals = resolve(own ?? {}, scope) as Attributes;
    const inner = { ...scope, names: { ...scope.names, ...locals } };
    return String(text).replace(/\$\{([^}]+)\}/g, (_, name: string) => String(lookUp(name, inner)));
  },
  'Fn::If': (argument, scope) => {
    const [condition, yes = null, no = null] = argument as readonly Json[];
    const holds = resolve(scope.conditions[String(condition)] ?? null, scope);
    return resolve(holds === true ? yes : no, scope);
  },
  'Fn::Equals': (argument, scope) => {
    const [left, right] = resolve(argument, scope) as readonly Json[];
    return left === right;
  },
  'Fn::Not': (argument, scope) => {
    const [condition] = resolve(argument, scope) as readonly Json[];
    return condition !== true;
  },
  'Fn::EachMemberEquals': (argument, scope) => {
    const [list, value] = resolve(argument, scope) as readonly Json[];
    return String(list)
      .split(',')
      .every((member) => member === value);
  },
  'Fn::Join': (argument, scope) => {
    const [separator, list] = resolve(argument, scope) as readonly Json[];
    return isList(list ?? null) ? (list as readonly Json[]).join(String(separator)) : String(list);
  },
  'Fn::Split': (argument, scope) => {
    const [separator, text] = resolve(argument, scope) as readonly Json[];
    return String(text).split(String(separator));
  },
  'Fn::Select': (argument, scope) => {
    const [index, list] = resolve(argument, scope) as readonly Json[];
    return (list as readonly Json[])[Number(index)] ?? null;
  },
};

function lookUp(name: string, { names }: Scope): Json {
  const value = names[name] ?? attributeOf(name, names);
  if (value === undefined) throw new Error(`nothing is called ${name}`);
  return value;
}

/** `Name.Attribute` of a resource. */
function attributeOf(name: string, names: Attributes): Json | undefined {
  const [resource = '', attribute] = name.split('.');
  return attribute !== undefined && names[resource] === `<${resource}>` ? `<${name}>` : undefined;
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

/** Those that the template uses in their short form. */
const functionNames = [
  'Ref',
  'EachMemberEquals',
  'Equals',
  'GetAtt',
  'If',
  'Join',
  'Not',
  'Select',
  'Split',
  'Sub',
];

const shortForms = functionNames.flatMap((name): (ScalarTag | CollectionTag)[] => [
  { tag: `!${name}`, resolve: (text) => text },
  { tag: `!${name}`, collection: 'seq', resolve: (sequence) => sequence },
]);

/** `!Ref x` means `Ref: x`, and `!Name x` means `Fn::Name: x`. */
function longForm(_: unknown, node: Node): Node | undefined {
  if (node.tag === undefined || !functionNames.includes(node.tag.slice(1))) return undefined;
  const name = node.tag === '!Ref' ? 'Ref' : `Fn::${node.tag.slice(1)}`;
  Reflect.deleteProperty(node, 'tag');
  const map = new YAMLMap();
  map.add(new Pair(new Scalar(name), node));
  return map;
}
