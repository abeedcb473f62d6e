/** The answer of a token endpoint, whatever the grant. */

import { isJsonObject, type JsonObject } from '../kit/json/json-object.ts';
import { parseStrictJson } from '../kit/json/strict-json.ts';
import { TokenRequestError } from './token-request-error.ts';

/** STS takes tokens of up to 20,000 characters, this project of 16,384. */
export const maxTokenAnswerBytes = 32 * 1024;
/** Cognito: access tokens live for 5 minutes to 1 day. */
const maxLifeSeconds = 24 * 60 * 60;

/** Undefined unless it is one strict JSON object. */
export function answerObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    const document = parseStrictJson(bytes, { maxDepth: 4, maxKeys: 64 });
    return isJsonObject(document) ? document : undefined;
  } catch {
    return undefined;
  }
}

/** RFC 6749 section 5.1. @throws TokenRequestError `token_answer_invalid` */
export function readTokenGrant(answer: JsonObject = {}) {
  const { access_token: token, token_type: type, expires_in: lifeSeconds } = answer;
  const usable =
    typeof token === 'string' &&
    // RFC 6750 section 2.1: what a bearer token is made of.
    /^[A-Za-z0-9._~+/=-]{1,16384}$/.test(token) &&
    typeof type === 'string' &&
    type.toLowerCase() === 'bearer' &&
    typeof lifeSeconds === 'number' &&
    Number.isSafeInteger(lifeSeconds) &&
    lifeSeconds > 0 &&
    lifeSeconds <= maxLifeSeconds;
  if (!usable) throw new TokenRequestError('token_answer_invalid');
  return { token, lifeSeconds };
}
