import { isJsonObject } from '../../src/kit/json/json-object.ts';
import { matchesGlob } from './glob.ts';

/** The `Condition` element of a statement: all of its tests must hold. */
export type ConditionBlock = readonly ConditionTest[];

/** `unknown`: the test uses something that this server does not evaluate. */
export type ConditionVerdict = 'match' | 'no_match' | 'unknown';

/** Throws for what is not a condition block; an operator this server does not know parses, and never matches. */
export function parseConditions(condition: unknown): ConditionBlock {
  return Object.entries(asObject(condition)).flatMap(([operator, keys]) =>
    Object.entries(asObject(keys)).map(([key, values]) => ({
      operator: parseOperator(operator),
      // Condition key names are not case-sensitive (IAM User Guide, reference_policies_elements_condition).
      key: key.toLowerCase(),
      values: asTexts(values),
    })),
  );
}

/** `context` has lower-case keys; a key without a value is absent from it. */
export function conditionVerdict(
  block: ConditionBlock,
  context: ReadonlyMap<string, readonly string[]>,
): ConditionVerdict {
  const verdicts = block.map((test) => testVerdict(test, context.get(test.key)));
  if (verdicts.includes('no_match')) return 'no_match';
  return verdicts.includes('unknown') ? 'unknown' : 'match';
}

interface ConditionTest {
  readonly operator: Operator;
  readonly key: string;
  readonly values: readonly string[];
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
      readonly ifExists: boolean;
    };

function parseOperator(name: string): Operator {
  if (name === 'Null') return { kind: 'null' };
  if (name === 'Bool' || name === 'BoolIfExists') {
    return { kind: 'bool', ifExists: name !== 'Bool' };
  }
  const match = /^(ForAnyValue:|ForAllValues:)?String(Not)?(Equals|Like)(IfExists)?$/.exec(name);
  if (!match) return { kind: 'unknown' };
  const [, set, not, comparison, ifExists] = match;
  // "Any value differs" is a trap that nobody means; it stays unknown.
  if (set && not) return { kind: 'unknown' };
  return {
    kind: 'string',
    quantifier: set === undefined ? 'one' : set === 'ForAnyValue:' ? 'any' : 'all',
    negated: not !== undefined,
    like: comparison === 'Like',
    ifExists: ifExists !== undefined,
  };
}

function testVerdict(
  { operator, values }: ConditionTest,
  actual: readonly string[] | undefined,
): ConditionVerdict {
  switch (operator.kind) {
    case 'unknown':
      return 'unknown';
    case 'null':
      return verdictOf(values.includes(actual === undefined ? 'true' : 'false'));
    case 'bool':
      if (actual === undefined) return verdictOf(operator.ifExists);
      return verdictOf(values.some((wanted) => actual.includes(wanted.toLowerCase())));
    case 'string':
      return stringVerdict(operator, values, actual);
  }
}

function stringVerdict(
  { quantifier, negated, like, ifExists }: Extract<Operator, { kind: 'string' }>,
  values: readonly string[],
  actual: readonly string[] | undefined,
): ConditionVerdict {
  // A key that is absent, or that STS does not fill from the token, makes a positive test false, a negated one true,
  // and each of its values equal to anything.
  if (actual === undefined) return verdictOf(ifExists || negated || quantifier === 'all');
  // Without a set operator, a key with several values has no defined meaning.
  if (quantifier === 'one' && actual.length !== 1) return 'unknown';
  const listed = (value: string) =>
    values.some((wanted) => (like ? matchesGlob(wanted, value) : wanted === value));
  const found = quantifier === 'all' ? actual.every(listed) : actual.some(listed);
  return verdictOf(found !== negated);
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
