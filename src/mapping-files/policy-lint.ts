/** What is legal in a session policy, and yet does nothing: actions that AWS does not have, and resources that they cannot name. */

import type { Fault } from '../core/fault.ts';
import { remember } from '../core/remember.ts';
import { isJsonObject } from '../kit/json/json-object.ts';
import type { JsonPointer } from '../kit/json/json-pointer.ts';
import { haveCommonText } from '../kit/text/common-text.ts';
import type { SourceFault } from '../kit/yaml/source-fault.ts';
import type { IamAction, IamTable } from './iam-actions/iam-table.ts';
import { nearest } from './iam-actions/nearest.ts';
import { type FileMapping, faultIn } from './read-mappings.ts';

/** Warnings, for AWS has more actions by now. */
export function actionWarnings(
  mappings: readonly FileMapping[],
  table: IamTable,
): readonly SourceFault[] {
  return mappings.flatMap(({ mapping, document }) =>
    policyWarnings(mapping.session.policy, table).map((warning) => faultIn(document, warning)),
  );
}

function policyWarnings(policy: unknown, table: IamTable): readonly Fault[] {
  if (!isJsonObject(policy)) return [];
  const { Statement: given } = policy;
  const statements: readonly unknown[] = Array.isArray(given) ? given : [given];
  return statements.flatMap((statement, index) => {
    const at: JsonPointer = Array.isArray(given)
      ? `/session/policy/Statement/${index}`
      : '/session/policy/Statement';
    return isJsonObject(statement) ? statementWarnings(statement, at, table) : [];
  });
}

type Statement = Readonly<Record<string, unknown>>;

interface Text {
  readonly text: string;
  readonly pointer: JsonPointer;
}

function* textsOf(statement: Statement, at: JsonPointer, name: string): Generator<Text> {
  const value = statement[name];
  if (typeof value === 'string') yield { text: value, pointer: `${at}/${name}` as JsonPointer };
  if (!Array.isArray(value)) return;
  for (const [index, text] of value.entries()) {
    if (typeof text === 'string') yield { text, pointer: `${at}/${name}/${index}` as JsonPointer };
  }
}

function statementWarnings(statement: Statement, at: JsonPointer, table: IamTable): Fault[] {
  const resources = [...textsOf(statement, at, 'Resource')].map(({ text }) => text);
  const faults: Fault[] = [];
  for (const name of ['Action', 'NotAction'] as const) {
    for (const { text, pointer } of textsOf(statement, at, name)) {
      const detail =
        actionWarning(text, table) ??
        (name === 'Action' && resources.length > 0
          ? resourceWarning(text, resources, table)
          : undefined);
      if (detail !== undefined) faults.push({ pointer, detail });
    }
  }
  return faults;
}

function actionWarning(text: string, { day, services }: IamTable): string | undefined {
  const [service = '', name = ''] = text.split(':');
  if (text === '*' || service.includes('*')) return undefined;
  const actions = services.get(service.toLowerCase());
  if (actions === undefined) {
    const near = nearest(service, services.keys());
    return `is of no service that AWS had on ${day}${meant(near && `${near}:${name}`)}`;
  }
  if (/[*?]/.test(name)) {
    const wanted = name.toLowerCase();
    if ([...actions.keys()].some((known) => haveCommonText(wanted, known))) return undefined;
    return `matches no action that AWS had on ${day}`;
  }
  if (actions.has(name.toLowerCase())) return undefined;
  const near = nearest(
    name,
    [...actions.values()].map((action) => action.name),
  );
  return `is no action that AWS had on ${day}${meant(near && `${service}:${near}`)}`;
}

function meant(near: string | undefined): string {
  return near === undefined ? '' : `; did you mean ${near}?`;
}

/** Variables and claims stand for anything. */
const variables = /\$\{[^}]*\}/g;

function resourceWarning(
  text: string,
  resources: readonly string[],
  { services }: IamTable,
): string | undefined {
  const action = actionOf(text, services);
  if (action?.resources === undefined || resources.includes('*')) return undefined;
  if (action.resources.length === 0)
    return 'can be limited to no resource: it is allowed by "*" alone, and this statement has others only';
  const patterns = action.resources;
  const given = resources.map((resource) => partsOf(resource.replace(variables, '*')));
  const known = partsOfAll(patterns);
  if (given.some((one) => known.some((other) => canBeSame(one, other)))) return undefined;
  const forms = patterns.slice(0, 3).map((form) => form.replaceAll('#', '*'));
  return `applies to none of the resources of its statement: it is about ${forms.join(' or ')}`;
}

/** Part by part: no wildcard of one part of an ARN stands for a colon. */
function canBeSame(one: readonly string[], other: readonly string[]): boolean {
  return one.every((part, index) => haveCommonText(part, other[index] ?? ''));
}

/** Of an action; each is asked for again and again. */
const partsOfAll = remember((arns: readonly string[]) => arns.map(partsOf));

function partsOf(arn: string): readonly string[] {
  const parts = arn.split(':');
  return [...parts.slice(0, 5), parts.slice(5).join(':')];
}

function actionOf(text: string, services: IamTable['services']): IamAction | undefined {
  const [service = '', name = ''] = text.toLowerCase().split(':');
  return services.get(service)?.get(name);
}
