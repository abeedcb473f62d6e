import { BrokerError, type SigningFailure } from '../core/errors.ts';

export const signingFailures = [
  'signer_timeout',
  'signer_throttled',
  'key_unusable',
  'signature_invalid',
  'signer_failed',
  'circuit_open',
] as const satisfies readonly SigningFailure[];

/** Nothing unsigned leaves, so a caller who has no session yet must wait. */
export function cannotSign(reason: SigningFailure, thrown?: unknown): BrokerError {
  return new BrokerError('web_identity_unavailable', {
    detail:
      'The broker cannot sign the token that STS is shown. Try again after the time in Retry-After.',
    reason,
    // The SDK's errors carry whole answers: only their names are kept.
    cause: new Error(`a web identity token was not signed: ${nameOf(thrown) ?? reason}`),
  });
}

/** What whoever holds the key threw. */
export function signingFailureOf(thrown: unknown): SigningFailure {
  const name = nameOf(thrown) ?? '';
  if (/^(?:Timeout|Abort)Error$/.test(name)) return 'signer_timeout';
  if (/Throttl|LimitExceeded|TooManyRequests/.test(name)) return 'signer_throttled';
  return unusable.has(name) ? 'key_unusable' : 'signer_failed';
}

/** https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html: somebody must mend the key or its policy. */
const unusable: ReadonlySet<string> = new Set([
  'AccessDeniedException',
  'DisabledException',
  'InvalidKeyUsageException',
  'KMSInvalidStateException',
  'NotFoundException',
  'UnfitKeyError',
  'UnfitTokenKeyError',
]);

function nameOf(thrown: unknown): string | undefined {
  const name: unknown = Object(thrown).name;
  return typeof name === 'string' && /^[A-Za-z]{1,64}$/.test(name) ? name : undefined;
}
