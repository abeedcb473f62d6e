import { isJsonObject } from '../kit/json/json-object.ts';
import { matchesGlob } from './glob.ts';

/** The `Condition` element of a statement: all of its tests must hold. */
export type ConditionBlock = readonly ConditionTest[];

/** `unknown`: the test uses what is not evaluated here, or a key whose value nobody knows yet. */
export type ConditionVerdict = 'match' | 'no_match' | 'unknown';

/**
 * Throws for what is not a condition block; an operator that is not evaluated here parses, and never matches. `variables`:
 * whether `${…}` means anything, which it does in documents of Version 2012-10-17 alone.
 */
export function parseConditions(
  condition: unknown,
  { variables }: { readonly variables: boolean },
): ConditionBlock {
  return Object.entries(asObject(condition)).flatMap(([operator, keys]) =>
    Object.entries(asObject(keys)).map(([key, values]) => ({
      name: operator,
      operator: parseOperator(operator),
      // Condition key names are not case-sensitive (IAM User Guide, reference_policies_elements_condition).
      key: lowerCased(key),
      values: asTexts(values),
      variables,
    })),
  );
}

/** What is known of a request. */
export interface ConditionContext {
  /** By key in lower case; a key without a value is absent from it. */
  readonly context: ReadonlyMap<string, readonly string[]>;
  /** Keys in lower case that will have some value, or none. Default: every key is known. */
  readonly openKeys?: ReadonlySet<string>;
}

export function conditionVerdict(
  block: ConditionBlock,
  request: ConditionContext,
): ConditionVerdict {
  const verdicts = block.map((test) => testVerdict(test, request));
  if (verdicts.includes('no_match')) return 'no_match';
  return verdicts.includes('unknown') ? 'unknown' : 'match';
}

/** Whether no request passes in which that key is absent, or in which it has none of certain texts. */
export function requiresText(block: ConditionBlock, key: string): boolean {
  return block.some(({ operator, key: tested, values }) => {
    if (operator.kind !== 'string' || operator.arn || tested !== key) return false;
    const { quantifier, negated, like, ifExists } = operator;
    const anything = like && values.some((wanted) => /^\*+$/.test(wanted));
    return quantifier !== 'all' && !negated && !ifExists && !anything;
  });
}

export interface ConditionTest {
  /** Of the operator, as the policy has it. */
  readonly name: string;
  readonly operator: Operator;
  /** In lower case. */
  readonly key: string;
  readonly values: readonly string[];
  /** Whether `${…}` in the values means anything. */
  readonly variables: boolean;
}

type Operator =
  | { readonly kind: 'null' }
  | { readonly kind: 'bool'; readonly ifExists: boolean }
  | { readonly kind: 'unknown' }
  | {
      readonly kind: 'string';
      /** Of a key with several values: whether any must match, or each of those that there are. */
      readonly quantifier: 'one' | 'any' | 'all';
      readonly negated: boolean;
      readonly like: boolean;
      /** Compared part by part, always with wildcards. */
      readonly arn: boolean;
      readonly ifExists: boolean;
    };

function parseOperator(name: string): Operator {
  if (name === 'Null') return { kind: 'null' };
  if (name === 'Bool' || name === 'BoolIfExists') {
    return { kind: 'bool', ifExists: name !== 'Bool' };
  }
  const match = /^(ForAnyValue:|ForAllValues:)?(String|Arn)(Not)?(Equals|Like)(IfExists)?$/.exec(
    name,
  );
  if (!match) return { kind: 'unknown' };
  const [, set, type, not, comparison, ifExists] = match;
  const arn = type === 'Arn';
  // "Any value differs" is a trap that nobody means; it stays unknown.
  if (set && not) return { kind: 'unknown' };
  return {
    kind: 'string',
    quantifier: set === undefined ? 'one' : set === 'ForAnyValue:' ? 'any' : 'all',
    negated: not !== undefined,
    like: arn || comparison === 'Like',
    arn,
    ifExists: ifExists !== undefined,
  };
}

export function testVerdict(
  { operator, key, values, variables }: ConditionTest,
  request: ConditionContext,
): ConditionVerdict {
  const { context, openKeys } = request;
  if (openKeys?.has(key) === true) return 'unknown';
  const actual = context.get(key);
  switch (operator.kind) {
    case 'unknown':
      return 'unknown';
    case 'null':
      return verdictOf(values.some((wanted) => wanted.toLowerCase() === `${actual === undefined}`));
    case 'bool':
      if (actual === undefined) return verdictOf(operator.ifExists);
      return verdictOf(values.some((wanted) => actual.includes(wanted.toLowerCase())));
    case 'string':
      return stringVerdict(
        operator,
        variables ? values.map((text) => resolved(text, operator.like, request)) : values,
        actual,
      );
  }
}

function stringVerdict(
  { quantifier, negated, like, arn, ifExists }: Extract<Operator, { kind: 'string' }>,
  values: readonly (string | undefined)[],
  actual: readonly string[] | undefined,
): ConditionVerdict {
  // A key that is absent, or that STS does not fill from the token, makes a positive test false, a negated one true,
  // and each of its values equal to anything.
  if (actual === undefined) return verdictOf(ifExists || negated || quantifier === 'all');
  // Without a set operator, a key with several values has no defined meaning.
  if (quantifier === 'one' && actual.length !== 1) return 'unknown';
  if (values.includes(undefined)) return 'unknown';
  const fits = arn
    ? matchesArn
    : like
      ? matchesGlob
      : (wanted: string, text: string) => wanted === text;
  const listed = (value: string) => values.some((wanted = '') => fits(wanted, value));
  const found = quantifier === 'all' ? actual.every(listed) : actual.some(listed);
  return verdictOf(found !== negated);
}

/** A wildcard stays within its part of the ARN; the sixth part is the rest (IAM User Guide, reference_policies_elements_condition_operators). */
function matchesArn(pattern: string, text: string): boolean {
  const [wanted, actual] = [pattern, text].map((arn) => {
    const parts = arn.split(':');
    return [...parts.slice(0, 5), parts.slice(5).join(':')];
  }) as [string[], string[]];
  return wanted.every((part, at) => matchesGlob(part, actual[at] ?? ''));
}

/**
 * The text with what its variables stand for: a key of the request that has one value, or one of three characters (IAM User
 * Guide, reference_policies_variables). Undefined where that is not known here: of other variables, and among wildcards.
 */
function resolved(
  text: string,
  like: boolean,
  { context, openKeys }: ConditionContext,
): string | undefined {
  let known = true;
  const result = text.replace(/\$\{([^}]*)(\}?)/g, (_whole, name: string, end: string) => {
    if (/^[$*?]$/.test(name) && end !== '' && !like) return name;
    const key = lowerCased(name);
    const [value, another] = openKeys?.has(key) === true ? [] : (context.get(key) ?? []);
    known &&= value !== undefined && another === undefined && end !== '' && !like;
    return value ?? '';
  });
  return known ? result : undefined;
}

/** Of ASCII alone: by the rules of Unicode, a key that nobody fills would become one that somebody does (T364). */
function lowerCased(key: string): string {
  return key.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function verdictOf(holds: boolean): ConditionVerdict {
  return holds ? 'match' : 'no_match';
}

function asObject(value: unknown): object {
  if (isJsonObject(value)) return value;
  throw new Error(
    'trust policy: "Condition" must be an object of operators, each an object of keys',
  );
}

function asTexts(value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (!values.every((item) => ['string', 'number', 'boolean'].includes(typeof item))) {
    throw new Error('trust policy: a condition compares with text or a list of texts');
  }
  return values.map(String);
}
