import { orAborted } from '../kit/timing/or-aborted.ts';
import { readTokenFile } from './token-file.ts';

export interface TokenRequest {
  readonly signal?: AbortSignal | undefined;
  /** A token that was refused just now: a new one is wanted, if there can be one. */
  readonly refused?: string | undefined;
}

/** Gives the token to present now, and keeps it fresh. A CognitoTokenValidator with a client is one. */
export interface TokenSource {
  token(request?: TokenRequest): Promise<string>;
}

/**
 * Where the token comes from: the JWT itself, a function that is called each time, a file that is read each
 * time, or a token source.
 */
export type TokenInput =
  | string
  | (() => string | Promise<string>)
  | { readonly file: string }
  | TokenSource;

export function tokenSource(input: TokenInput): TokenSource {
  if (typeof input === 'string') return { token: () => Promise.resolve(input) };
  if (typeof input === 'function') return { token: async () => input() };
  if ('file' in input) return { token: () => readTokenFile(input.file) };
  return input;
}

export interface WithTokenOptions<Result> {
  readonly source: TokenSource;
  readonly signal: AbortSignal;
  readonly use: (token: string) => Promise<Result>;
  /** Whether it failed because of the token, so that another one may help. */
  readonly isRefusal: (error: unknown) => boolean;
}

/** Uses a token; one that is refused is replaced by a new one, once. */
export async function withToken<Result>({
  source,
  signal,
  use,
  isRefusal,
}: WithTokenOptions<Result>): Promise<Result> {
  const ask = (refused?: string) => orAborted(source.token({ signal, refused }), signal);
  const token = await ask();
  try {
    return await use(token);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const another = await ask(token);
    if (another === token) throw error;
    return await use(another);
  }
}
