/** What an error of an AWS SDK means to somebody who only wanted to look. */

import { isJsonObject } from '../kit/json/json-object.ts';
import type { Reading } from './finding.ts';

/** Codes of all the services that are asked, without the suffix "Exception". */
const denied: ReadonlySet<string> = new Set([
  'AccessDenied',
  'NotAuthorized',
  'UnauthorizedOperation',
]);
const absent: ReadonlySet<string> = new Set([
  ...['NoSuchEntity', 'ResourceNotFound', 'TableNotFound', 'NotFound'],
]);
const unusable: ReadonlySet<string> = new Set([
  ...['CredentialsProviderError', 'ExpiredToken', 'InvalidClientTokenId', 'UnrecognizedClient'],
  ...[
    'SignatureDoesNotMatch',
    'IncompleteSignature',
    'MissingAuthenticationToken',
    'InvalidSignature',
  ],
  ...['TokenProviderError', 'AuthFailure'],
]);

/** Of the error its code alone is repeated: messages quote requests. */
export function unreadOf(
  action: string,
  error: unknown,
): Exclude<Reading<never>, { kind: 'read' }> {
  const { name, code } = errorNames(error);
  const what = name.replace(/Exception$/, '');
  if (denied.has(what)) {
    return {
      kind: 'unread',
      why: 'your credentials may not look at it',
      missingPermission: action,
    };
  }
  if (absent.has(what)) return { kind: 'absent' };
  if (unusable.has(what)) {
    const why = `there are no AWS credentials here that are accepted (${what}): sign in, or set AWS_PROFILE`;
    return { kind: 'unread', why };
  }
  if (name === 'AnswerTooLarge') {
    return { kind: 'unread', why: `the answer to ${action} is larger than this command reads` };
  }
  if (name === 'TimeoutError') {
    return { kind: 'unread', why: `no answer to ${action} in time` };
  }
  return { kind: 'unread', why: `${action} failed (${code ?? what})` };
}

/** What could be anything else is no name of an error. */
function errorNames(error: unknown): { readonly name: string; readonly code: string | undefined } {
  const { name, code } = isJsonObject(error) ? error : {};
  const plain = (value: unknown) =>
    typeof value === 'string' && /^[A-Za-z][A-Za-z_]{0,63}$/.test(value) ? value : undefined;
  const system = plain(code);
  return {
    name: plain(name) ?? 'Error',
    code: system !== undefined && /^(?:E|ERR_)[A-Z_]+$/.test(system) ? system : undefined,
  };
}
