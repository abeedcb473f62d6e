import { isJsonObject } from '../../src/kit/json/json-object.ts';
import {
  allowedCharacters,
  isResource,
  isVariableName,
  partitionFault,
  unknownVariable,
} from './session-policy-texts.ts';
import { StsError } from './sts-error.ts';

/**
 * Checks a session policy against the grammar of the IAM policy language (IAM User Guide,
 * reference_policies_grammar). Throws `MalformedPolicyDocument`. Whether actions and resources exist is not
 * checked, as in STS.
 *
 * @param partition of the role.
 */
export function requireSessionPolicyGrammar(text: string, partition: string): void {
  const document = parseJson(text);
  if (!allowedCharacters(document)) throw malformed('This policy contains invalid characters');
  const { Version, Id, Statement, ...unknown } = asObject(document);
  if (Version !== '2012-10-17' && Version !== '2008-10-17') {
    throw malformed('Policy document must be version 2012-10-17 or greater.');
  }
  if (Id !== undefined && typeof Id !== 'string') throw syntaxError();
  refuseMembers(unknown);
  const statements: readonly unknown[] = Array.isArray(Statement) ? Statement : [Statement];
  if (statements.length === 0) throw syntaxError();
  const sids = statements
    .map((statement) => checkStatement(statement, partition))
    .filter((sid) => sid !== undefined && sid !== '');
  if (new Set(sids).size !== sids.length) {
    throw malformed('Statement IDs (SID) in a single policy must be unique.');
  }
}

/** Returns the statement's `Sid`. */
function checkStatement(value: unknown, partition: string): string | undefined {
  const { Sid, Effect, Action, NotAction, Resource, NotResource, Condition, ...unknown } =
    asObject(value);
  if ('Principal' in unknown || 'NotPrincipal' in unknown) {
    throw malformed('Policy document should not specify a principal.');
  }
  refuseMembers(unknown);
  if (Effect !== 'Allow' && Effect !== 'Deny') throw syntaxError();
  checkActions(exactlyOne(Action, NotAction, 'Policy statement must contain actions.'));
  checkResources(
    exactlyOne(Resource, NotResource, 'Policy statement must contain resources.'),
    partition,
  );
  if (Condition !== undefined) checkCondition(Condition);
  return checkSid(Sid);
}

function checkSid(sid: unknown): string | undefined {
  if (sid === undefined) return undefined;
  if (typeof sid !== 'string') throw syntaxError();
  if (/^[A-Za-z0-9]*$/.test(sid)) return sid;
  throw malformed(
    'Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*',
  );
}

function checkActions(value: unknown): void {
  for (const action of asTexts(value, 'Policy statement must contain actions.')) {
    if (!/^(?:\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$/.test(action)) {
      throw malformed('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.');
    }
  }
}

function checkResources(value: unknown, partition: string): void {
  for (const resource of asTexts(value, 'Policy statement must contain resources.')) {
    if (!isResource(resource)) {
      throw malformed(`Resource ${resource} must be in ARN format or "*".`);
    }
    const fault = partitionFault(resource, partition);
    if (fault !== undefined) throw malformed(fault);
    if (unknownVariable(resource)) throw syntaxError();
  }
}

const setOperator = ['', 'ForAllValues:', 'ForAnyValue:'];
const comparison =
  /^(?:String(?:Not)?(?:Equals(?:IgnoreCase)?|Like)|(?:Numeric|Date)(?:(?:Not)?Equals|(?:Less|Greater)Than(?:Equals)?)|Bool|BinaryEquals|(?:Not)?IpAddress|Arn(?:Not)?(?:Equals|Like))(?:IfExists)?$/;

function isOperator(name: string): boolean {
  if (name === 'Null') return true;
  return setOperator.some(
    (prefix) => name.startsWith(prefix) && comparison.test(name.slice(prefix.length)),
  );
}

function checkCondition(condition: unknown): void {
  for (const [operator, keys] of Object.entries(asObject(condition))) {
    if (!isOperator(operator)) throw syntaxError();
    for (const [key, values] of Object.entries(asObject(keys))) {
      if (!isVariableName(key)) {
        throw malformed(
          'Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.',
        );
      }
      checkConditionValues(values);
    }
  }
}

function checkConditionValues(value: unknown): void {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0) throw syntaxError();
  for (const item of values) {
    if (!['string', 'number', 'boolean'].includes(typeof item)) throw syntaxError();
    if (typeof item === 'string' && unknownVariable(item)) throw syntaxError();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed('This policy contains invalid Json');
  }
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  if (isJsonObject(value)) return value;
  throw syntaxError();
}

function asTexts(value: unknown, messageIfEmpty: string): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0) throw malformed(messageIfEmpty);
  if (!values.every((item) => typeof item === 'string')) throw syntaxError();
  return values as readonly string[];
}

function exactlyOne(value: unknown, inverse: unknown, messageIfNone: string): unknown {
  if (value !== undefined && inverse !== undefined) throw syntaxError();
  if (value === undefined && inverse === undefined) throw malformed(messageIfNone);
  return value ?? inverse;
}

function refuseMembers(unknown: Readonly<Record<string, unknown>>): void {
  if (Object.keys(unknown).length > 0) throw syntaxError();
}

function syntaxError(): StsError {
  return malformed('Syntax errors in policy.');
}

function malformed(message: string): StsError {
  return new StsError('MalformedPolicyDocument', message);
}
