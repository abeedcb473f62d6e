import { type Clock, toRfc3339 } from '../../src/kit/timing/clock.ts';
import type { WebIdentityAnswer } from '../../src/sts-protocol/answers.ts';
import { type IssuedKeys, roleId } from './issued-keys.ts';
import { type OidcProviders, type OpenIdConnectProvider, providerName } from './oidc-providers.ts';
import { parseSessionClaims, type SessionClaims } from './session-claims.ts';
import { checkSessionPolicy } from './session-policy-grammar.ts';
import { StsError } from './sts-error.ts';
import { type TrustPolicy, trustPolicyAllows } from './trust-policy.ts';
import type { WebIdentityRequest } from './web-identity-request.ts';
import {
  hasValidSignature,
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

/**
 * AssumeRoleWithWebIdentity: verifies the token against the provider in the role's account, asks the role's
 * trust policy, checks the session that is asked for, and only then makes keys.
 */
export async function exchangeWebIdentity(
  request: WebIdentityRequest,
  options: WebIdentityExchangeOptions,
): Promise<WebIdentityAnswer> {
  const token = parseWebIdentityToken(request.webIdentityToken);
  const provider = options.providers.find(request.role.accountId, token.issuer);
  const audience = checkAudience(token, provider);
  checkTimes(token, options.clock.now());
  await checkSignature(token, provider, options.providers);

  const sessionClaims = parseSessionClaims(token.claims);
  const role = options.findRole(request.roleArn);
  // A role that does not exist looks the same as one that does not trust the caller.
  if (!role) throw notAuthorized();
  checkTrust({ request, token, audience, sessionClaims, role, sourceVpce: options.sourceVpce });

  const packedPolicySize = checkPolicies(request, sessionClaims);
  if (request.durationSeconds > role.maxSessionDurationSeconds) {
    throw new StsError(
      'ValidationError',
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    );
  }
  return {
    ...issue(request, options),
    subjectFromWebIdentityToken: token.subject,
    audience,
    provider: providerArn(request, token),
    packedPolicySize,
    sourceIdentity: sessionClaims.sourceIdentity,
  };
}

function checkAudience(token: WebIdentityToken, provider: OpenIdConnectProvider): string {
  const { audience } = token;
  if (audience !== undefined && provider.clientIds.includes(audience)) return audience;
  throw new StsError('InvalidIdentityToken', 'Incorrect token audience');
}

function checkTimes(token: WebIdentityToken, nowMs: number): void {
  const nowSeconds = Math.floor(nowMs / 1000);
  if (nowSeconds >= token.expiresAtSeconds) {
    throw new StsError(
      'ExpiredTokenException',
      `Token expired: current date/time ${nowSeconds} must be before the expiration date/time ${token.expiresAtSeconds}`,
    );
  }
  if (token.notBeforeSeconds !== undefined && nowSeconds < token.notBeforeSeconds) {
    throw new StsError('InvalidIdentityToken', 'The token is not valid yet');
  }
}

async function checkSignature(
  token: WebIdentityToken,
  provider: OpenIdConnectProvider,
  providers: OidcProviders,
): Promise<void> {
  const key = await providers.verificationKey(provider, token.keyId);
  if (hasValidSignature(token, key)) return;
  // The wording is ours: AWS documents none.
  throw new StsError('InvalidIdentityToken', 'The signature of the token is not valid');
}

interface TrustCheck {
  readonly request: WebIdentityRequest;
  readonly token: WebIdentityToken;
  readonly audience: string;
  readonly sessionClaims: SessionClaims;
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
  const trusted = actions.every((action) =>
    trustPolicyAllows(role.trustPolicy, { action, federatedArn, context }),
  );
  if (!trusted) throw notAuthorized();
}

/** All that a trust policy can see of a request. STS ignores every other claim of the token. */
function conditionContext({
  request,
  token,
  audience,
  sessionClaims,
  sourceVpce,
}: TrustCheck): ReadonlyMap<string, readonly string[]> {
  const issuer = providerName(token.issuer);
  const { tags, transitiveTagKeys, sourceIdentity } = sessionClaims;
  const entries: [string, readonly unknown[]][] = [
    [`${issuer}:aud`, [audience]],
    [`${issuer}:oaud`, token.originalAudiences],
    [`${issuer}:sub`, [token.subject]],
    [`${issuer}:amr`, [token.claims['amr']].flat()],
    [`${issuer}:email`, [token.claims['email']]],
    ['sts:RoleSessionName', [request.roleSessionName]],
    ['sts:SourceIdentity', [sourceIdentity]],
    ['sts:TransitiveTagKeys', transitiveTagKeys],
    ['aws:SourceVpce', [sourceVpce]],
    ['aws:TagKeys', [...(tags?.keys() ?? [])]],
    ...Array.from(tags ?? [], ([key, value]): [string, readonly unknown[]] => [
      `aws:RequestTag/${key}`,
      [value],
    ]),
  ];
  const context = new Map<string, readonly string[]>();
  for (const [key, values] of entries) {
    const texts = values.filter((value) => typeof value === 'string');
    if (texts.length > 0) context.set(key.toLowerCase(), texts);
  }
  return context;
}

const maxPolicyCharacters = 2048;

/**
 * Returns PackedPolicySize if a policy was sent. AWS packs policies and tags into a form it does not publish; the
 * length of the plain text stands in for it, so the percentage here is an estimate.
 */
function checkPolicies(
  { policy, policyArns, role }: WebIdentityRequest,
  { tags }: SessionClaims,
): string | undefined {
  if (policy !== undefined) checkSessionPolicy(policy, role.partition);
  for (const arn of policyArns) checkPolicyArn(arn, role.accountId);
  const texts = [policy ?? '', ...policyArns, ...Array.from(tags ?? []).flat()];
  const characters = texts.reduce((sum, text) => sum + text.length, 0);
  const percent = Math.ceil((100 * characters) / maxPolicyCharacters);
  if (percent > 100) {
    throw new StsError(
      'PackedPolicyTooLarge',
      `Packed policy consumes ${percent}% of allotted space, please use smaller policy.`,
    );
  }
  return policy === undefined && policyArns.length === 0 ? undefined : String(percent);
}

/** A managed session policy lives in the role's account or is one of AWS's own. */
function checkPolicyArn(arn: string, accountId: string): void {
  const owner = /^arn:aws(?:-[a-z]+)*:iam::(\d{12}|aws):policy\/[!-~]+$/.exec(arn)?.[1];
  if (owner === accountId || owner === 'aws') return;
  throw new StsError('ValidationError', 'A policy ARN is not one of the account of the role');
}

function issue(
  { role, roleArn, roleSessionName, durationSeconds, minimumSessionTokenSize }: WebIdentityRequest,
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

function providerArn({ role }: WebIdentityRequest, { issuer }: WebIdentityToken): string {
  return `arn:${role.partition}:iam::${role.accountId}:oidc-provider/${providerName(issuer)}`;
}

function notAuthorized(): StsError {
  return new StsError('AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity');
}
