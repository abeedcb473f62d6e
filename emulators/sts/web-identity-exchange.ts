import { trustContext } from '../../src/iam-policy/trust-context.ts';
import { type TrustPolicy, trustVerdict } from '../../src/iam-policy/trust-policy.ts';
import { type Clock, toRfc3339 } from '../../src/kit/timing/clock.ts';
import type { WebIdentityAnswer } from '../../src/sts-protocol/answers.ts';
import { type IssuedKeys, roleId } from './issued-keys.ts';
import {
  type OidcProviders,
  type OpenIdConnectProvider,
  oidcProviderName,
} from './oidc-providers.ts';
import { packedPolicySize } from './packed-size.ts';
import { roleAuthorizedByIdp } from './role-authorization.ts';
import { parseSessionClaims, type SessionClaims } from './session-claims.ts';
import { requireSessionPolicyGrammar } from './session-policy-grammar.ts';
import { StsError } from './sts-error.ts';
import type { WebIdentityParameters } from './web-identity-request.ts';
import {
  hasValidSignature,
  keyTypeOf,
  notValidated,
  parseWebIdentityToken,
  type WebIdentityToken,
} from './web-identity-token.ts';

export interface TrustingRole {
  readonly trustPolicy: TrustPolicy;
  readonly maxSessionDurationSeconds: number;
}

export interface WebIdentityExchangeOptions {
  readonly clock: Clock;
  readonly providers: OidcProviders;
  readonly findRole: (roleArn: string) => TrustingRole | undefined;
  readonly keys: IssuedKeys;
  /** The VPC endpoint that requests seem to come through; sets the condition key `aws:SourceVpce`. */
  readonly sourceVpce: string | undefined;
}

export interface WebIdentityAction {
  readonly answer: WebIdentityAnswer;
  /** What the token attached to the session. */
  readonly sessionClaims: SessionClaims;
  /** Whether the token named the role. */
  readonly authorizedByIdp: boolean;
}

/**
 * AssumeRoleWithWebIdentity: verifies the token against the provider in the role's account, asks the role's
 * trust policy, checks the session that is asked for, and only then makes keys.
 */
export async function exchangeWebIdentity(
  request: WebIdentityParameters,
  options: WebIdentityExchangeOptions,
): Promise<WebIdentityAction> {
  const token = parseWebIdentityToken(request.webIdentityToken);
  const provider = options.providers.find(request.role.accountId, token.issuer);
  checkAudience(token, provider);
  checkTimes(token, options.clock.now());
  await checkSignature(token, provider, options.providers);

  const sessionClaims = parseSessionClaims(token.claims);
  const authorizedByIdp = roleAuthorizedByIdp(token.claims, request.roleArn);
  const role = options.findRole(request.roleArn);
  // A role that does not exist looks the same as one that does not trust the caller.
  if (!role) throw notAuthorized();
  const { sourceVpce } = options;
  checkTrust({ request, token, sessionClaims, authorizedByIdp, role, sourceVpce });

  checkPolicies(request);
  const { policy, policyArns } = request;
  const { subject } = token;
  const packed = packedPolicySize({ policy, policyArns, sessionClaims, subject });
  if (request.durationSeconds > role.maxSessionDurationSeconds) {
    throw new StsError(
      'ValidationError',
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    );
  }
  const answer = {
    ...issue(request, options),
    subjectFromWebIdentityToken: subject,
    audience: token.audience,
    provider: providerArn(request, token),
    packedPolicySize: String(packed),
    sourceIdentity: sessionClaims.sourceIdentity,
  };
  return { answer, sessionClaims, authorizedByIdp };
}

function checkAudience({ audience }: WebIdentityToken, provider: OpenIdConnectProvider): void {
  if (!provider.clientIds.includes(audience)) throw notValidated();
}

/** As recorded on real AWS, for the clocks of issuers. */
const toleranceSeconds = 300;

function checkTimes(token: WebIdentityToken, nowMs: number): void {
  const nowSeconds = Math.floor(nowMs / 1000);
  const { expiresAtSeconds, issuedAtSeconds, notBeforeSeconds = 0 } = token;
  const earliest = nowSeconds - toleranceSeconds;
  const latest = nowSeconds + toleranceSeconds;
  if (earliest >= expiresAtSeconds) {
    throw new StsError(
      'ExpiredTokenException',
      `Token expired: current date/time ${earliest} must be before the expiration date/time ${expiresAtSeconds}`,
    );
  }
  if (notBeforeSeconds > latest) {
    throw new StsError(
      'InvalidIdentityToken',
      `Token not yet valid: current date/time ${latest} must be after or equal to the not-before date/time ${notBeforeSeconds}`,
    );
  }
  if (issuedAtSeconds > latest) {
    throw new StsError('InvalidIdentityToken', `Token issued in the future: ${issuedAtSeconds}`);
  }
}

async function checkSignature(
  token: WebIdentityToken,
  provider: OpenIdConnectProvider,
  providers: OidcProviders,
): Promise<void> {
  const key = await providers.verificationKey(provider, token.keyId, keyTypeOf(token));
  if (hasValidSignature(token, key)) return;
  // The wording is ours: AWS documents none.
  throw new StsError('InvalidIdentityToken', 'The signature of the token is not valid');
}

interface TrustCheck {
  readonly request: WebIdentityParameters;
  readonly token: WebIdentityToken;
  readonly sessionClaims: SessionClaims;
  readonly authorizedByIdp: boolean;
  readonly role: TrustingRole;
  readonly sourceVpce: string | undefined;
}

function checkTrust(check: TrustCheck): void {
  const { request, token, sessionClaims, role } = check;
  const federatedArn = providerArn(request, token);
  const context = conditionContext(check);
  const actions = [
    'sts:AssumeRoleWithWebIdentity',
    ...(sessionClaims.tags ? ['sts:TagSession'] : []),
    ...(sessionClaims.sourceIdentity === undefined ? [] : ['sts:SetSourceIdentity']),
  ];
  // What cannot be evaluated must never widen access.
  const trusted = actions.every(
    (action) => trustVerdict(role.trustPolicy, { action, federatedArn, context }) === 'allowed',
  );
  if (!trusted) throw notAuthorized();
}

function conditionContext(check: TrustCheck): ReadonlyMap<string, readonly string[]> {
  const { request, token, sessionClaims, authorizedByIdp, sourceVpce } = check;
  return trustContext({
    ...sessionClaims,
    providerArn: providerArn(request, token),
    providerName: oidcProviderName(token.issuer),
    accountId: request.role.accountId,
    audience: token.audience,
    originalAudiences: token.originalAudiences,
    subject: token.subject,
    amr: token.claims['amr'],
    email: token.claims['email'],
    sessionName: request.roleSessionName,
    authorizedByIdp,
    sourceVpce,
  });
}

function checkPolicies({ policy, policyArns, role }: WebIdentityParameters): void {
  if (policy !== undefined) requireSessionPolicyGrammar(policy, role.partition);
  for (const arn of policyArns) checkPolicyArn(arn, role.accountId);
}

/** A managed session policy lives in the role's account or is one of AWS's own. */
function checkPolicyArn(arn: string, accountId: string): void {
  const owner = /^arn:aws(?:-[a-z]+)*:iam::(\d{12}|aws):policy\/[!-~]+$/.exec(arn)?.[1];
  if (owner === accountId || owner === 'aws') return;
  throw new StsError('ValidationError', 'A policy ARN is not one of the account of the role');
}

function issue(
  {
    role,
    roleArn,
    roleSessionName,
    durationSeconds,
    minimumSessionTokenSize,
  }: WebIdentityParameters,
  { clock, keys }: WebIdentityExchangeOptions,
) {
  const nowSeconds = Math.floor(clock.now() / 1000);
  const key = keys.issue({
    accountId: role.accountId,
    assumedRoleArn: `arn:${role.partition}:sts::${role.accountId}:assumed-role/${role.name}/${roleSessionName}`,
    assumedRoleId: `${roleId(roleArn)}:${roleSessionName}`,
    expiresAt: (nowSeconds + durationSeconds) * 1000,
    minimumSessionTokenSize,
  });
  return {
    assumedRoleArn: key.assumedRoleArn,
    assumedRoleId: key.assumedRoleId,
    accessKeyId: key.accessKeyId,
    secretAccessKey: key.secretAccessKey,
    sessionToken: key.sessionToken,
    expiration: toRfc3339(key.expiresAt),
  };
}

function providerArn({ role }: WebIdentityParameters, { issuer }: WebIdentityToken): string {
  return `arn:${role.partition}:iam::${role.accountId}:oidc-provider/${oidcProviderName(issuer)}`;
}

function notAuthorized(): StsError {
  return new StsError('AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity');
}
