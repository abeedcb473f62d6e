/**
 * IAM session policies with claims of the caller in them.
 *
 * A claim is written `${claim:NAME}` inside a Resource, NotResource or Condition value. It is put into the
 * parsed document, value by value; a value that could widen the policy (a wildcard, a separator, a policy
 * variable) makes rendering fail instead.
 */

import { escapePointer } from '../../kit/json/json-pointer.ts';
import type { ClaimValue } from '../claim-value.ts';
import type { Fault } from '../errors.ts';

/** STS allows 2,048 characters for the inline policy and all policy ARNs together. */
export const sessionPolicyBudget = 2048;
/** Longest claim value that may be put into a policy. */
export const claimValueMaxLength = 128;

const safeClaimValue = /^[A-Za-z0-9_.@=-]{1,128}$/;
/** The name stops at a brace, so that unclosed references cost linear time. */
const claimReference = /\$\{claim:([^{}]*)\}/g;
/** AWS accepts tab, line feed, carriage return and U+0020 to U+00FF. */
const policyCharacters = /^[\t\n\r\u0020-\u00ff]*$/;
const actionPattern = /^(?:\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$/;
const sidPattern = /^[A-Za-z0-9]*$/;

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type SessionPolicy = Readonly<Record<string, unknown>>;

export type RenderedPolicy =
  | { readonly kind: 'rendered'; readonly text: string }
  | { readonly kind: 'unsafe_claim'; readonly claim: string };

/** The minified policy with the caller's claims in place; `unsafe_claim` if one is absent or could widen it. */
export function renderSessionPolicy(
  policy: SessionPolicy,
  claims: ReadonlyMap<string, ClaimValue>,
): RenderedPolicy {
  let unsafe: string | undefined;
  const substitute = (text: string): string =>
    text.replace(claimReference, (_whole, name: string) => {
      const value = claims.get(name);
      if (typeof value === 'string' && safeClaimValue.test(value)) return value;
      unsafe ??= name;
      return '';
    });
  const rendered = mapStrings(policy as Json, substitute);
  return unsafe === undefined
    ? { kind: 'rendered', text: JSON.stringify(rendered) }
    : { kind: 'unsafe_claim', claim: unsafe };
}

/** Names of the claims that the policy refers to. */
export function referencedClaims(policy: SessionPolicy): ReadonlySet<string> {
  const names = new Set<string>();
  mapStrings(policy as Json, (text) => {
    for (const match of text.matchAll(claimReference)) names.add(match[1] ?? '');
    return text;
  });
  return names;
}

/** Length of the minified policy when every claim in it has its greatest length. */
export function worstCaseLength(policy: SessionPolicy): number {
  const longest = 'x'.repeat(claimValueMaxLength);
  return JSON.stringify(
    mapStrings(policy as Json, (text) => text.replace(claimReference, () => longest)),
  ).length;
}

/** Everything that would make STS refuse the policy, or make it mean something else than it seems to. */
export function checkSessionPolicy(policy: SessionPolicy): Fault[] {
  const faults: Fault[] = [];
  const report = (pointer: string, detail: string) => faults.push({ pointer, detail });
  for (const key of Object.keys(policy)) {
    if (!['Version', 'Id', 'Statement'].includes(key)) {
      report(
        `/${escapePointer(key)}`,
        'is not an element of a policy: use Version, Id and Statement',
      );
    }
  }
  const id = policy['Id'];
  if (id !== undefined && (typeof id !== 'string' || id.includes('${'))) {
    report('/Id', 'must be a string without variables');
  }
  if (policy['Version'] !== '2012-10-17') report('/Version', 'must be "2012-10-17"');
  if (!policyCharacters.test(JSON.stringify(policy))) {
    report('', 'may only hold characters from U+0020 to U+00FF');
  }
  const statements = Array.isArray(policy['Statement'])
    ? (policy['Statement'] as unknown[])
    : [policy['Statement']];
  if (policy['Statement'] === undefined || statements.length === 0) {
    report('/Statement', 'must hold at least one statement');
    return faults;
  }
  statements.forEach((statement, index) => {
    const at = Array.isArray(policy['Statement']) ? `/Statement/${index}` : '/Statement';
    checkStatement(statement, at, report);
  });
  return faults;
}

type Report = (pointer: string, detail: string) => void;

const statementKeys = [
  'Sid',
  'Effect',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
];

function checkStatement(statement: unknown, at: string, report: Report): void {
  if (!isPlainObject(statement)) {
    report(at, 'must be an object');
    return;
  }
  for (const key of Object.keys(statement)) {
    if (!statementKeys.includes(key)) {
      report(`${at}/${escapePointer(key)}`, `is not allowed: use ${statementKeys.join(', ')}`);
    }
  }
  const sid = statement['Sid'];
  if (sid !== undefined && (typeof sid !== 'string' || !sidPattern.test(sid))) {
    report(`${at}/Sid`, 'must be letters and digits');
  }
  if (statement['Effect'] !== 'Allow' && statement['Effect'] !== 'Deny') {
    report(`${at}/Effect`, 'must be "Allow" or "Deny"');
  }
  checkOneOf(statement, ['Action', 'NotAction'], at, report, (value) =>
    actionPattern.test(value)
      ? undefined
      : 'must be like "s3:GetObject"; claims are not allowed here',
  );
  checkOneOf(statement, ['Resource', 'NotResource'], at, report, checkResource);
  if (statement['Condition'] !== undefined) {
    checkCondition(statement['Condition'], `${at}/Condition`, report);
  }
}

function checkOneOf(
  statement: Record<string, unknown>,
  names: readonly [string, string],
  at: string,
  report: Report,
  check: (value: string) => string | undefined,
): void {
  const present = names.filter((name) => statement[name] !== undefined);
  const name = present[0];
  if (name === undefined || present.length > 1) {
    report(at, `must have exactly one of ${names[0]} and ${names[1]}`);
    return;
  }
  const value = statement[name];
  const values: unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0) report(`${at}/${name}`, 'must not be empty');
  values.forEach((item, index) => {
    const fault = typeof item === 'string' ? check(item) : 'must be a string or a list of strings';
    if (fault !== undefined)
      report(`${at}/${name}${Array.isArray(value) ? `/${index}` : ''}`, fault);
  });
}

function checkResource(value: string): string | undefined {
  if (value !== '*' && !value.startsWith('arn:')) return 'must be "*" or an ARN';
  return checkReferences(value);
}

function checkCondition(condition: unknown, at: string, report: Report): void {
  if (!isPlainObject(condition)) {
    report(at, 'must be an object of operators');
    return;
  }
  for (const [operator, block] of Object.entries(condition)) {
    const where = `${at}/${escapePointer(operator)}`;
    if (!/^(?:(?:ForAllValues|ForAnyValue):)?[A-Za-z]+$/.test(operator)) {
      report(where, 'is not a condition operator');
    }
    if (!isPlainObject(block)) {
      report(where, 'must be an object of condition keys');
      continue;
    }
    for (const [key, value] of Object.entries(block)) {
      checkConditionEntry(key, value, `${where}/${escapePointer(key)}`, report);
    }
  }
}

function checkConditionEntry(key: string, value: unknown, at: string, report: Report): void {
  if (!/^[\w.:/@-]+$/.test(key)) report(at, 'is not a condition key');
  const values: unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0) report(at, 'must not be empty');
  for (const item of values) {
    const fault = conditionValueFault(item);
    if (fault !== undefined) report(at, fault);
  }
}

function conditionValueFault(value: unknown): string | undefined {
  if (typeof value === 'string') return checkReferences(value);
  if (typeof value === 'boolean') return undefined;
  // Numbers beyond all bounds, such as 1e999, are no JSON any more.
  if (!Number.isFinite(value)) return 'must be a value or a list of values';
  // Beyond 2^53 it is no longer the number that somebody wrote.
  return Math.abs(Number(value)) <= Number.MAX_SAFE_INTEGER
    ? undefined
    : 'is too large for a number: write it as text';
}

/**
 * Every `${…}` must be a claim reference of ours, a policy variable of AWS, or an escaped character. A claim may
 * not be part of the name of a variable: `#` stands for it because no name of a variable has one.
 */
function checkReferences(value: string): string | undefined {
  const rest = value
    .replace(/\$\{claim:[A-Za-z0-9_:.-]{1,128}\}/g, '#')
    .replace(/\$\{(?:\*|\?|\$)\}/g, '')
    .replace(/\$\{[a-z0-9-]+:[\w/.@-]+(?:, *'[^']*')?\}/gi, (variable) =>
      // In other letters it would be left as it is, and STS would not know it.
      variable.toLowerCase().startsWith('${claim:') ? variable : '',
    );
  return rest.includes('${')
    ? 'has a variable that is neither a claim nor a policy variable of AWS'
    : undefined;
}

function mapStrings(node: Json, change: (text: string) => string): Json {
  if (typeof node === 'string') return change(node);
  if (Array.isArray(node)) return node.map((item: Json) => mapStrings(item, change));
  if (node !== null && typeof node === 'object') {
    return Object.fromEntries(
      Object.entries(node).map(([key, value]) => [key, mapStrings(value as Json, change)]),
    );
  }
  return node;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
