/**
 * The two documents as the world sees them, held against the keys of this broker. What is published decides whom STS
 * believes: a key there that is nobody's here can sign for every role (T146).
 */

import { agreesWithCertificate } from '../kit/jose/key-certificate.ts';
import { privateMembersOf } from '../kit/jose/private-members.ts';
import { isJsonObject, type JsonObject, parseJsonObject } from '../kit/json/json-object.ts';
import { boundedFetch, NoAnswerError } from '../kit/net/bounded-fetch.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { discoveryPath, keySetPath } from './documents.ts';
import type { PublishedKey } from './public-key.ts';

export interface DocumentFinding {
  /**
   * `unreachable`: a document cannot be had. `wrong`: STS would refuse tokens, or believe somebody else's. `doubtful`:
   * it works, but not well.
   */
  readonly kind: 'unreachable' | 'wrong' | 'doubtful';
  readonly detail: string;
}

export interface ExpectedIssuer {
  readonly issuer: string;
  /** The first one signs. Undefined: not known here, and not compared. */
  readonly keys: readonly PublishedKey[] | undefined;
}

/** STS gives an identity provider five seconds. */
const timeoutMs = 5_000;
const maxBytes = 256 * 1024;

/** Fetches them as STS would: both within its time, without redirects. Empty if all is well. */
export async function checkPublished(
  { issuer, keys }: ExpectedIssuer,
  clock: Clock,
): Promise<readonly DocumentFinding[]> {
  const [discovery, keySet] = await Promise.all([
    fetchJson(`${issuer}${discoveryPath}`, clock),
    fetchJson(`${issuer}${keySetPath}`, clock),
  ]);
  return [
    ...discoveryFindings(issuer, discovery),
    ...keySetFindings(keys, keySet),
    ...[discovery, keySet].flatMap(cachingFindings),
  ];
}

type Fetched =
  | {
      readonly kind: 'fetched';
      readonly url: string;
      readonly document: JsonObject;
      readonly cacheControl: string;
    }
  | { readonly kind: 'failed'; readonly finding: DocumentFinding };

async function fetchJson(url: string, clock: Clock): Promise<Fetched> {
  const failed = (kind: DocumentFinding['kind'], detail: string): Fetched => {
    return { kind: 'failed', finding: { kind, detail: `${url} ${detail}` } };
  };
  try {
    const { status, headers, body } = await boundedFetch(url, { clock, timeoutMs, maxBytes });
    if (status !== 200) return failed('unreachable', `answers with status ${status}`);
    const document = body === undefined ? undefined : parseJsonObject(Buffer.from(body).toString());
    if (document === undefined) return failed('wrong', 'is no JSON object');
    return { kind: 'fetched', url, document, cacheControl: headers.get('cache-control') ?? '' };
  } catch (error) {
    if (!(error instanceof NoAnswerError)) throw error;
    return failed('unreachable', `cannot be fetched: ${error.message}`);
  }
}

function discoveryFindings(issuer: string, fetched: Fetched): DocumentFinding[] {
  if (fetched.kind === 'failed') return [fetched.finding];
  const expected = { issuer, jwks_uri: `${issuer}${keySetPath}` };
  return Object.entries(expected)
    .filter(([name, value]) => fetched.document[name] !== value)
    .map(([name, value]) => ({
      kind: 'wrong',
      detail: `${fetched.url} must have ${name} ${value}`,
    }));
}

function keySetFindings(keys: ExpectedIssuer['keys'], fetched: Fetched): DocumentFinding[] {
  if (fetched.kind === 'failed') return [fetched.finding];
  const { keys: listed } = fetched.document;
  const { url } = fetched;
  if (!Array.isArray(listed) || !listed.every(isJsonObject)) {
    return [{ kind: 'wrong', detail: `${url} has no list of keys` }];
  }
  if (keys === undefined) return [];
  const found = (kind: DocumentFinding['kind'], detail: string) => [
    { kind, detail: `${url} ${detail}` },
  ];
  const lacking = keys.filter(({ kid }) => !listed.some((key) => key['kid'] === kid));
  return [
    ...listed.flatMap((key) => {
      const fault = keyFault(key, keys);
      return fault === undefined ? [] : found('wrong', fault);
    }),
    ...lacking.flatMap((key) =>
      key === keys[0]
        ? found('wrong', `lacks the key ${key.kid}, which signs: publish it before it does`)
        : found('doubtful', `lacks the key ${key.kid}, which does not sign`),
    ),
  ];
}

function keyFault(key: JsonObject, keys: readonly PublishedKey[]) {
  const own = keys.find(({ n, e }) => key['n'] === n && key['e'] === e && key['kty'] === 'RSA');
  if (own === undefined) {
    return 'has a key that is not in the configuration of this broker: find out whose it is';
  }
  // A key of KMS can be one that was imported.
  const secrets = privateMembersOf(key);
  if (secrets.length > 0) {
    return `has private members of the key ${own.kid} (${secrets.join(', ')}): whoever has read it signs for every role. Take it out, and change the key`;
  }
  const taken = key['kid'] === own.kid && key['use'] === 'sig' && !('key_ops' in key);
  return taken && agreesWithCertificate(key)
    ? undefined
    : `has the key ${own.kid} in a form that STS does not find: render it again`;
}

function cachingFindings(fetched: Fetched): DocumentFinding[] {
  if (fetched.kind === 'failed') return [];
  const { url, cacheControl } = fetched;
  const maxAge = Number(/(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/.exec(cacheControl)?.[1] ?? '0');
  const bears = !/no-cache|no-store/.test(cacheControl) && maxAge >= 60 && maxAge <= 86_400;
  if (bears) return [];
  const detail = `${url} must have Cache-Control with a max-age of 60 to 86400: with no-cache STS fetches it for every exchange, and fails now and then`;
  return [{ kind: 'doubtful', detail }];
}
