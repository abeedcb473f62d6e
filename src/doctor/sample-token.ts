/** A token that somebody shows to find out why it is refused. It is never printed; of its claims only what a finding needs. */

import { type JsonObject, parseJsonObject } from '../kit/json/json-object.ts';

export interface SampleToken {
  /** Only ever sent to STS, by `--try`. */
  readonly text: string;
  readonly header: JsonObject;
  readonly claims: JsonObject;
}

/** Undefined for what is no JWT. Nothing of it is verified: STS would say what it thinks of it. */
export function readSampleToken(text: string): SampleToken | undefined {
  const [head = '', body = '', ...rest] = text.split('.');
  const [header, claims] = [head, body].map((part) =>
    parseJsonObject(Buffer.from(part, 'base64url').toString()),
  );
  if (header === undefined || claims === undefined || rest.length !== 1) return undefined;
  return { text, header, claims };
}

/** What STS compares with the client ids of the provider. */
export function comparedAudience({ azp, aud }: JsonObject): string | undefined {
  if (typeof azp === 'string') return azp;
  const [only, ...others] = [aud].flat();
  return typeof only === 'string' && others.length === 0 ? only : undefined;
}

/** App client that asked for it, where the token says so: its audience may be another. */
export function clientOf(claims: JsonObject): string | undefined {
  const { client_id: client } = claims;
  return typeof client === 'string' ? client : comparedAudience(claims);
}
