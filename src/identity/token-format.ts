/**
 * The strict reading of a JWT, before anything else looks at it: RFC 7515 compact serialization and nothing
 * more, in its one canonical spelling, with JSON that two parsers cannot read differently.
 */

import { BrokerError } from '../core/errors.ts';
import { isJsonObject, type JsonObject } from '../kit/json/json-object.ts';
import { parseStrictJson, StrictJsonError } from '../kit/json/strict-json.ts';

/** Proven by nothing yet: good for choosing the issuer and for refusing early. */
export interface UnverifiedToken {
  readonly algorithm: string;
  readonly kid: string;
  /** Objects in it have no prototype. */
  readonly claims: JsonObject;
}

/** Before the token is hashed, decoded or parsed: unsigned tokens must not cost time (T13). */
export function requireTokenSize(token: string, maxTokenBytes: number): void {
  if (token.length > maxTokenBytes) {
    throw new BrokerError('token_too_large', {
      detail: `The token has more than ${maxTokenBytes} characters: have its issuer put fewer claims into it.`,
    });
  }
}

/** @throws BrokerError `token_malformed`. */
export function readToken(token: string): UnverifiedToken {
  const [, header, payload, signature] = compactForm.exec(token) ?? [];
  if (header === undefined || payload === undefined || signature === undefined) {
    throw malformed('must be a signed JWT in compact form: three base64url segments and two dots');
  }
  decodeSegment('signature', signature);
  return {
    ...readHeader(parseSegment('header', header, headerLimits)),
    claims: parseSegment('payload', payload, payloadLimits),
  };
}

const compactForm = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;
const headerLimits = { maxDepth: 4, maxKeys: 32 };
const payloadLimits = { maxDepth: 8, maxKeys: 256 };
const kidPattern = /^[A-Za-z0-9._~+/=-]{1,128}$/;
/** RFC 7519 section 5.1, RFC 9068 section 2.1; identity pools write "JWS". */
const types: ReadonlySet<string> = new Set(['jwt', 'at+jwt', 'jws']);

/**
 * Header parameters that would bring a key along, point to one, or change how the token is to be read
 * (RFC 7515 section 4.1, RFC 7797, RFC 8725 sections 2.10 and 3.10).
 */
const refusedParameters = [
  ...['crit', 'b64', 'cty', 'zip', 'enc'],
  ...['jku', 'jwk', 'x5u', 'x5c', 'x5t', 'x5t#S256'],
];

function readHeader(header: JsonObject): Omit<UnverifiedToken, 'claims'> {
  const refused = refusedParameters.find((name) => name in header);
  if (refused !== undefined) throw malformed(`must not have the header parameter "${refused}"`);
  const { alg, kid, typ } = header;
  if (typeof alg !== 'string') throw malformed('must name its algorithm in the header');
  if (typeof kid !== 'string' || !kidPattern.test(kid)) {
    throw malformed('must name its key in the header by a "kid" of at most 128 plain characters');
  }
  if (typ !== undefined && (typeof typ !== 'string' || !types.has(typ.toLowerCase()))) {
    throw malformed('must be of the type "JWT", if its header names a type');
  }
  return { algorithm: alg, kid };
}

function parseSegment(
  name: string,
  segment: string,
  limits: { readonly maxDepth: number; readonly maxKeys: number },
): JsonObject {
  let value: unknown;
  try {
    value = parseStrictJson(decodeSegment(name, segment), limits);
  } catch (error) {
    if (error instanceof StrictJsonError) throw malformed(`has a ${name} that ${error.message}`);
    throw error;
  }
  if (!isJsonObject(value)) throw malformed(`has a ${name} that is not a JSON object`);
  return value;
}

function decodeSegment(name: string, segment: string): Uint8Array {
  const bytes = Buffer.from(segment, 'base64url');
  // Decoding forgives unused bits and impossible lengths, which would give one token many spellings (T8).
  if (bytes.toString('base64url') !== segment) {
    throw malformed(`has a ${name} that is not canonical base64url`);
  }
  return bytes;
}

export function malformed(detail: string): BrokerError {
  return new BrokerError('token_malformed', { detail: `The token ${detail}.` });
}
