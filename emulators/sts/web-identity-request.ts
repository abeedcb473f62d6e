import type { QueryParameters } from '../../src/sts-protocol/query-form.ts';
import { StsError } from './sts-error.ts';

/** A well-formed AssumeRoleWithWebIdentity request; nothing in it has been verified yet. */
export interface WebIdentityParameters {
  readonly roleArn: string;
  readonly role: RoleArnParts;
  readonly roleSessionName: string;
  readonly webIdentityToken: string;
  readonly policy: string | undefined;
  readonly policyArns: readonly string[];
  readonly durationSeconds: number;
  readonly minimumSessionTokenSize: number;
}

export interface RoleArnParts {
  readonly partition: string;
  readonly accountId: string;
  /** Without the path: an assumed-role ARN does not carry it. */
  readonly name: string;
}

/**
 * Checks the parameters against the constraints of the STS API reference. Every violated constraint is named in
 * one ValidationError, as AWS does.
 */
export function parseWebIdentityRequest(parameters: QueryParameters): WebIdentityParameters {
  refuseUnknown(parameters);
  const violations: string[] = [];
  const text = (constraint: TextConstraint) => readText(parameters, constraint, violations);
  const integer = (constraint: IntegerConstraint) =>
    readInteger(parameters, constraint, violations);

  const request = {
    roleArn: text(roleArn) ?? '',
    roleSessionName: text(roleSessionName) ?? '',
    webIdentityToken: text(webIdentityToken) ?? '',
    policy: text(policy),
    policyArns: readPolicyArns(parameters, violations),
    durationSeconds: integer(durationSeconds),
    minimumSessionTokenSize: integer(minimumSessionTokenSize),
  };
  if (violations.length > 0) {
    const noun = violations.length === 1 ? 'error' : 'errors';
    throw invalid(`${violations.length} validation ${noun} detected: ${violations.join('; ')}`);
  }
  const providerId = parameters.get('ProviderId');
  if (providerId !== undefined) throw notOfThatProvider(providerId);
  const role = parseRoleArn(request.roleArn);
  if (!role) throw invalid('Request ARN is invalid');
  return { ...request, role };
}

/** It is for OAuth 2.0 access tokens of two providers. As recorded on real AWS, with the ID token of another one. */
function notOfThatProvider(providerId: string): StsError {
  return providerId === 'www.amazon.com'
    ? // The wording is ours.
      new StsError('InvalidIdentityToken', 'The token is no access token of Login with Amazon')
    : new StsError('AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity');
}

/** The parts of a role ARN, or `undefined` if it is not one. */
export function parseRoleArn(arn: string): RoleArnParts | undefined {
  const match =
    /^arn:(aws(?:-[a-z]+)*):iam::(\d{12}):role\/(?:[!-~]{1,510}\/)?([\w+=,.@-]{1,64})$/.exec(arn);
  const [, partition, accountId, name] = match ?? [];
  if (!partition || !accountId || !name) return undefined;
  return { partition, accountId, name };
}

interface TextConstraint {
  readonly name: string;
  readonly required: boolean;
  readonly min: number;
  readonly max: number;
  readonly pattern?: { readonly regex: RegExp; readonly text: string };
  /** A value that must not be repeated in an error message. */
  readonly sensitive?: true;
}

interface IntegerConstraint {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly fallback: number;
}

const roleArn: TextConstraint = { name: 'RoleArn', required: true, min: 20, max: 2048 };
const roleSessionName: TextConstraint = {
  name: 'RoleSessionName',
  required: true,
  min: 2,
  max: 64,
  pattern: { regex: /^[\w+=,.@-]*$/, text: '[\\w+=,.@-]*' },
};
const webIdentityToken: TextConstraint = {
  name: 'WebIdentityToken',
  required: true,
  min: 4,
  max: 20_000,
  sensitive: true,
};
const policy: TextConstraint = {
  name: 'Policy',
  required: false,
  min: 1,
  max: 2048,
  pattern: {
    regex: /^[\t\n\r\u0020-\u00ff]+$/,
    text: '[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+',
  },
};
const policyArn: TextConstraint = { name: 'PolicyArns', required: true, min: 20, max: 2048 };
const durationSeconds: IntegerConstraint = {
  name: 'DurationSeconds',
  min: 900,
  max: 43_200,
  fallback: 3600,
};
const minimumSessionTokenSize: IntegerConstraint = {
  name: 'MinimumSessionTokenSize',
  min: 0,
  max: 4096,
  fallback: 0,
};

const policyArnName = /^PolicyArns\.member\.([1-9]\d{0,2})\.arn$/;
const maxPolicyArns = 10;
const knownNames: ReadonlySet<string> = new Set([
  'Action',
  'Version',
  'PolicyArns',
  'ProviderId',
  ...[roleArn, roleSessionName, webIdentityToken, policy].map(({ name }) => name),
  ...[durationSeconds, minimumSessionTokenSize].map(({ name }) => name),
]);

/**
 * Stricter than AWS documents: a parameter that has no effect here (Tags, SourceIdentity, ExternalId belong to
 * AssumeRole) would otherwise look as if it worked.
 */
function refuseUnknown(parameters: QueryParameters): void {
  for (const name of parameters.keys()) {
    if (knownNames.has(name) || policyArnName.test(name)) continue;
    throw invalid('The request has a parameter that AssumeRoleWithWebIdentity does not take');
  }
}

function readText(
  parameters: QueryParameters,
  constraint: TextConstraint,
  violations: string[],
): string | undefined {
  const value = parameters.get(constraint.name);
  if (value === undefined && !constraint.required) return undefined;
  violations.push(...textViolations(value, constraint));
  return value;
}

function textViolations(value: string | undefined, constraint: TextConstraint): string[] {
  const { min, max, pattern } = constraint;
  const shown = constraint.sensitive && value !== undefined ? undefined : value;
  const violation = (rule: string) => violationOf(constraint, shown, rule);
  if (value === undefined) return [violation('Member must not be null')];
  const found: string[] = [];
  if (value.length < min) {
    found.push(violation(`Member must have length greater than or equal to ${min}`));
  }
  if (value.length > max) {
    found.push(violation(`Member must have length less than or equal to ${max}`));
  }
  if (pattern && !pattern.regex.test(value)) {
    found.push(violation(`Member must satisfy regular expression pattern: ${pattern.text}`));
  }
  return found;
}

function readInteger(
  parameters: QueryParameters,
  constraint: IntegerConstraint,
  violations: string[],
): number {
  const { min, max, fallback } = constraint;
  const value = parameters.get(constraint.name);
  if (value === undefined) return fallback;
  const violation = (rule: string) => violations.push(violationOf(constraint, value, rule));
  const number = /^-?\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
  if (Number.isNaN(number)) violation('Member must be an integer');
  if (number < min) violation(`Member must have value greater than or equal to ${min}`);
  if (number > max) violation(`Member must have value less than or equal to ${max}`);
  return number;
}

function readPolicyArns(parameters: QueryParameters, violations: string[]): readonly string[] {
  const numbered: [number, string][] = [];
  for (const [name, value] of parameters) {
    const position = policyArnName.exec(name)?.[1];
    if (position === undefined) continue;
    violations.push(...textViolations(value, policyArn));
    numbered.push([Number(position), value]);
  }
  if (numbered.length > maxPolicyArns) {
    const rule = `Member must have length less than or equal to ${maxPolicyArns}`;
    violations.push(violationOf(policyArn, undefined, rule));
  }
  return numbered.sort(([a], [b]) => a - b).map(([, arn]) => arn);
}

function violationOf(
  { name, sensitive }: { readonly name: string; readonly sensitive?: true },
  value: string | undefined,
  rule: string,
): string {
  const member = name.charAt(0).toLowerCase() + name.slice(1);
  const isNull = rule === 'Member must not be null';
  const shown = value === undefined ? (isNull ? ' null' : '') : ` '${value}'`;
  return `Value${sensitive && !isNull ? '' : shown} at '${member}' failed to satisfy constraint: ${rule}`;
}

function invalid(message: string): StsError {
  return new StsError('ValidationError', message);
}
