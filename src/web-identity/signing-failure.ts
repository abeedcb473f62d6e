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
    cause: Object.assign(
      new Error(`a web identity token was not signed: ${nameOf(thrown) ?? reason}`),
      { name: nameOf(thrown) ?? 'Error' },
    ),
  });
}

/** What whoever holds the key threw. */
export function signingFailureOf(thrown: unknown): SigningFailure {
  // The SDK calls it a TimeoutError, however soon it comes.
  if (wasCutOff(thrown)) return 'signer_failed';
  const name = nameOf(thrown) ?? '';
  if (/^(?:Timeout|Abort)Error$/.test(name)) return 'signer_timeout';
  if (/Throttl|LimitExceeded|TooManyRequests/.test(name)) return 'signer_throttled';
  return unusable.has(name) ? 'key_unusable' : 'signer_failed';
}

/** Whether the connection ended before the answer. */
export function wasCutOff(thrown: unknown): boolean {
  return ['ECONNRESET', 'EPIPE'].includes(Object(thrown).code);
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

/** Whether whoever holds the key lets these credentials not sign with it; the key itself may be well. */
export function isForbidden(error: unknown): boolean {
  return error instanceof BrokerError && nameOf(error.cause) === 'AccessDeniedException';
}

/** Such as `ENOTFOUND`, or the error of the SDK; never what it says. */
export function nameOfFailure(thrown: unknown): string | undefined {
  const code: unknown = Object(thrown).code;
  return typeof code === 'string' && /^E[A-Z]{2,32}$/.test(code) ? code : nameOf(thrown);
}

function nameOf(thrown: unknown): string | undefined {
  const name: unknown = Object(thrown).name;
  return typeof name === 'string' && /^[A-Za-z]{1,64}$/.test(name) ? name : undefined;
}
