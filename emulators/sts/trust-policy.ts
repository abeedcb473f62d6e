import { isJsonObject } from '../../src/kit/json/json-object.ts';
import { matchesGlob } from './glob.ts';
import { type ConditionBlock, conditionVerdict, parseConditions } from './trust-conditions.ts';

/** A role's trust policy, parsed. */
export type TrustPolicy = readonly TrustStatement[];

export interface TrustRequest {
  readonly action: string;
  /** The ARN of the OIDC provider that vouches for the caller. */
  readonly federatedArn: string;
  /** Condition keys in lower case; a key with no value is left out. */
  readonly context: ReadonlyMap<string, readonly string[]>;
}

/**
 * Parses an IAM trust policy document. Throws for what IAM would not save, so that a mistake shows when the
 * role is made and not as an AccessDenied.
 */
export function parseTrustPolicy(document: unknown): TrustPolicy {
  const { Version, Id, Statement, ...unknown } = asObject(document, 'a trust policy');
  if (Version !== undefined && Version !== '2012-10-17' && Version !== '2008-10-17') {
    throw new Error('trust policy: "Version" must be "2012-10-17"');
  }
  if (Id !== undefined && typeof Id !== 'string')
    throw new Error('trust policy: "Id" must be text');
  refuseMembers(unknown);
  const statements: readonly unknown[] = Array.isArray(Statement) ? Statement : [Statement];
  if (statements.length === 0) throw new Error('trust policy: "Statement" must not be empty');
  return statements.map(parseStatement);
}

/** An explicit deny wins; without an allow the answer is no. */
export function trustPolicyAllows(policy: TrustPolicy, request: TrustRequest): boolean {
  const applies = (statement: TrustStatement) => statementApplies(statement, request);
  if (policy.some((statement) => statement.effect === 'Deny' && applies(statement))) return false;
  return policy.some((statement) => statement.effect === 'Allow' && applies(statement));
}

interface TrustStatement {
  readonly effect: 'Allow' | 'Deny';
  readonly federated: readonly string[];
  /** `"Principal": "*"` and its longer spellings. */
  readonly anyone: boolean;
  readonly actions: readonly string[];
  readonly conditions: ConditionBlock;
}

function statementApplies(statement: TrustStatement, request: TrustRequest): boolean {
  const { effect, federated, anyone, actions, conditions } = statement;
  // "Anyone" counts for a deny only: it is not documented that it lets a web identity in.
  const named = federated.includes(request.federatedArn) || (anyone && effect === 'Deny');
  const action = request.action.toLowerCase();
  if (!named || !actions.some((pattern) => matchesGlob(pattern.toLowerCase(), action)))
    return false;
  const verdict = conditionVerdict(conditions, request.context);
  // What this server cannot evaluate must never widen access.
  return verdict === 'match' || (verdict === 'unknown' && effect === 'Deny');
}

function parseStatement(value: unknown): TrustStatement {
  const { Sid, Effect, Principal, Action, Condition, ...unknown } = asObject(value, 'a statement');
  if (Sid !== undefined && (typeof Sid !== 'string' || !/^[A-Za-z0-9]*$/.test(Sid))) {
    throw new Error('trust policy: "Sid" must be letters and digits');
  }
  if (Effect !== 'Allow' && Effect !== 'Deny') {
    throw new Error('trust policy: "Effect" must be "Allow" or "Deny"');
  }
  refuseMembers(unknown);
  return {
    effect: Effect,
    ...parsePrincipal(Principal),
    actions: asTexts(Action, '"Action"'),
    conditions: Condition === undefined ? [] : parseConditions(Condition),
  };
}

/** Principals of other kinds (AWS, Service) are legal and stand for nobody here. */
function parsePrincipal(value: unknown): Pick<TrustStatement, 'federated' | 'anyone'> {
  if (value === '*') return { federated: [], anyone: true };
  const { Federated, AWS, Service, CanonicalUser, ...unknown } = asObject(value, '"Principal"');
  refuseMembers(unknown);
  const federated = Federated === undefined ? [] : asTexts(Federated, '"Federated"');
  const others = [AWS, Service, CanonicalUser].flatMap((principal) =>
    principal === undefined ? [] : asTexts(principal, '"Principal"'),
  );
  if (federated.length + others.length === 0) throw new Error('trust policy: "Principal" is empty');
  return { federated, anyone: [...federated, ...others].includes('*') };
}

function asObject(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (isJsonObject(value)) return value;
  throw new Error(`trust policy: ${what} must be a JSON object`);
}

function asTexts(value: unknown, what: string): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length > 0 && values.every((text) => typeof text === 'string')) {
    return values as readonly string[];
  }
  throw new Error(`trust policy: ${what} must be text or a list of texts`);
}

/** Resource, NotPrincipal and misspelt members: IAM refuses them in a trust policy. */
function refuseMembers(unknown: Readonly<Record<string, unknown>>): void {
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw new Error(`trust policy: member "${name}" is not supported`);
}
