import { errorCodeOf } from '../../kit/files/error-code.ts';

/** What a failure is called in metrics and logs: the system's code, or the name that a service of AWS gave it. */
export function errorNameOf(error: unknown): string {
  const code = errorCodeOf(error);
  const name = code === 'unknown' && error instanceof Error ? error.name : code;
  // Whoever answers in the service's place may call it anything.
  return /^\w{1,64}$/.test(name) ? name : 'unknown';
}
