/** A role's trust policy, judged as STS judges it for a web identity. */

import { isJsonObject } from '../kit/json/json-object.ts';
import { matchesGlob } from './glob.ts';
import {
  type ConditionBlock,
  type ConditionContext,
  type ConditionVerdict,
  conditionVerdict,
  parseConditions,
  requiresText,
} from './trust-conditions.ts';

/** The statements, in the order of the document. */
export type TrustPolicy = readonly TrustStatement[];

export interface TrustRequest extends ConditionContext {
  readonly action: string;
  /** The ARN of the OIDC provider that vouches for the caller. */
  readonly federatedArn: string;
}

/** `undecided`: it depends on what is not evaluated here, or not known. */
export type TrustVerdict = 'allowed' | 'denied' | 'undecided';

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
  const variables = Version === '2012-10-17';
  return statements.map((statement) => parseStatement(statement, variables));
}

const identityPools = 'cognito-identity.amazonaws.com';

/** Whether it lets in identity pools without naming one, and so anybody, for anybody can make one. As recorded, IAM stores none. */
export function trustsAnyIdentityPool(policy: TrustPolicy): boolean {
  return policy.some(
    ({ effect, federated, conditions }) =>
      effect === 'Allow' &&
      federated.includes(identityPools) &&
      !requiresText(conditions, `${identityPools}:aud`),
  );
}

/** An explicit deny wins; without an allow the answer is no. */
export function trustVerdict(policy: TrustPolicy, request: TrustRequest): TrustVerdict {
  const verdicts = (wanted: TrustStatement['effect']) =>
    policy
      .filter(({ effect }) => effect === wanted)
      .map((statement) => statementVerdict(statement, request));
  const [denies, allows] = [verdicts('Deny'), verdicts('Allow')];
  const nothing = allows.every((verdict) => verdict === 'no_match');
  if (nothing || denies.includes('match')) return 'denied';
  return allows.includes('match') && !denies.includes('unknown') ? 'allowed' : 'undecided';
}

export interface TrustStatement {
  readonly sid: string | undefined;
  readonly effect: 'Allow' | 'Deny';
  readonly federated: readonly string[];
  /** Principals of other kinds. */
  readonly others: readonly string[];
  /** `"Principal": "*"` and its longer spellings. */
  readonly anyone: boolean;
  readonly actions: readonly string[];
  readonly conditions: ConditionBlock;
}

/** Whether a statement is about this provider. "Anyone" counts for a deny only: recorded of `"AWS": "*"`. */
export function namesProvider(
  { effect, federated, anyone }: TrustStatement,
  federatedArn: string,
): boolean {
  return federated.includes(federatedArn) || (anyone && effect === 'Deny');
}

export function namesAction({ actions }: TrustStatement, action: string): boolean {
  const name = action.toLowerCase();
  return actions.some((pattern) => matchesGlob(pattern.toLowerCase(), name));
}

export function statementVerdict(
  statement: TrustStatement,
  request: TrustRequest,
): ConditionVerdict {
  const { action, federatedArn } = request;
  if (!namesProvider(statement, federatedArn) || !namesAction(statement, action)) return 'no_match';
  return conditionVerdict(statement.conditions, request);
}

function parseStatement(value: unknown, variables: boolean): TrustStatement {
  const { Sid, Effect, Principal, Action, Condition, ...unknown } = asObject(value, 'a statement');
  if (Sid !== undefined && (typeof Sid !== 'string' || !/^[A-Za-z0-9]*$/.test(Sid))) {
    throw new Error('trust policy: "Sid" must be letters and digits');
  }
  if (Effect !== 'Allow' && Effect !== 'Deny') {
    throw new Error('trust policy: "Effect" must be "Allow" or "Deny"');
  }
  refuseMembers(unknown);
  return {
    sid: Sid,
    effect: Effect,
    ...parsePrincipal(Principal),
    actions: asTexts(Action, '"Action"'),
    conditions: Condition === undefined ? [] : parseConditions(Condition, { variables }),
  };
}

/** Principals of other kinds (AWS, Service) are legal and are no web identity. */
function parsePrincipal(value: unknown): Pick<TrustStatement, 'federated' | 'anyone' | 'others'> {
  if (value === '*') return { federated: [], others: [], anyone: true };
  const { Federated, AWS, Service, CanonicalUser, ...unknown } = asObject(value, '"Principal"');
  refuseMembers(unknown);
  const federated = Federated === undefined ? [] : asTexts(Federated, '"Federated"');
  const others = [AWS, Service, CanonicalUser].flatMap((principal) =>
    principal === undefined ? [] : asTexts(principal, '"Principal"'),
  );
  if (federated.length + others.length === 0) throw new Error('trust policy: "Principal" is empty');
  return { federated, others, anyone: [...federated, ...others].includes('*') };
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
