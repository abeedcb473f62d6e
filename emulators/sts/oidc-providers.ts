import type { JsonWebKey } from 'node:crypto';
import { agreesWithCertificate } from '../../src/kit/jose/key-certificate.ts';
import { isJsonObject } from '../../src/kit/json/json-object.ts';
import { type BoundedRequest, boundedFetch } from '../../src/kit/net/bounded-fetch.ts';
import type { Clock } from '../../src/kit/timing/clock.ts';
import { StsError } from './sts-error.ts';

/** An IAM OpenID Connect provider: says which issuer an account trusts, and for which client ids. */
export interface OpenIdConnectProvider {
  readonly accountId: string;
  /** Exactly the `iss` of its tokens: `https://…`, or `http://` on loopback. */
  readonly issuer: string;
  readonly jwksUri: string;
  /** IAM allows 100 per provider. */
  readonly clientIds: readonly string[];
}

const cacheMs = 60_000;
/** STS gives an identity provider 5 seconds. */
const fetchTimeoutMs = 5_000;
const maxJwksBytes = 256 * 1024;
/** STS accepts up to 100 RSA and 100 EC keys. */
const maxKeysOfAType = 100;
const maxClientIds = 100;

/**
 * The providers of all accounts and their verification keys. Keys are fetched once a minute, and once more for a
 * key id that is not among them; concurrent calls share one fetch. With `Cache-Control: no-cache` they are fetched for
 * every exchange, as was recorded on real AWS; how long AWS keeps others is not known.
 */
export class OidcProviders {
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  readonly #entries = new Map<string, Entry>();

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
  }

  /** Adds a provider, or replaces the one for the same issuer in the same account. */
  put(provider: OpenIdConnectProvider): void {
    checkProvider(provider);
    const id = entryId(provider.accountId, provider.issuer);
    this.#entries.set(id, { provider, keys: undefined });
  }

  remove(accountId: string, issuer: string): void {
    this.#entries.delete(entryId(accountId, issuer));
  }

  all(): readonly OpenIdConnectProvider[] {
    return [...this.#entries.values()].map(({ provider }) => provider);
  }

  /** Throws `InvalidIdentityToken` if the account does not have this issuer, character for character. */
  find(accountId: string, issuer: string): OpenIdConnectProvider {
    const entry = this.#entries.get(entryId(accountId, issuer));
    if (entry) return entry.provider;
    const message = `No OpenIDConnect provider found in your account for ${issuer}`;
    throw new StsError('InvalidIdentityToken', message);
  }

  /** The key of this type with this id. Throws `InvalidIdentityToken` when it cannot be had, for whatever reason. */
  async verificationKey(
    provider: OpenIdConnectProvider,
    keyId: string | undefined,
    keyType: 'RSA' | 'EC',
  ): Promise<JsonWebKey> {
    const entry = this.#entries.get(entryId(provider.accountId, provider.issuer));
    if (!entry) throw keyNotRetrieved();
    const known = this.#cached(entry);
    const key = known && chosenKey(await known, keyId, keyType);
    if (key) return key;
    const fetched = chosenKey(await this.#fetch(entry, known), keyId, keyType);
    if (!fetched) throw keyNotRetrieved();
    return fetched;
  }

  /** Ends fetches that are under way. */
  stop(): void {
    this.#stopping.abort();
  }

  #cached(entry: Entry): Promise<readonly JsonWebKey[]> | undefined {
    const { keys } = entry;
    if (!keys || this.#clock.monotonic() - keys.fetchedAt >= cacheMs) return undefined;
    return keys.promise;
  }

  /** Fetches, unless another call has replaced `seen`, the keys that did not do, in the meantime. */
  #fetch(entry: Entry, seen: Keys['promise'] | undefined): Keys['promise'] {
    const current = this.#cached(entry);
    if (current && current !== seen) return current;
    const limits = {
      clock: this.#clock,
      timeoutMs: fetchTimeoutMs,
      maxBytes: maxJwksBytes,
      givenUp: this.#stopping.signal,
    };
    const forget = () => {
      if (entry.keys?.promise === promise) entry.keys = undefined;
    };
    const promise = fetchKeys(entry.provider.jwksUri, limits).then(
      ({ keys, mayBeKept }) => {
        if (!mayBeKept) forget();
        return keys;
      },
      () => {
        forget();
        throw keyNotRetrieved();
      },
    );
    entry.keys = { promise, fetchedAt: this.#clock.monotonic() };
    return promise;
  }
}

/** `https://host/path` → `host/path`: how IAM names a provider in ARNs and condition keys. */
export function oidcProviderName(issuer: string): string {
  return issuer.replace(/^https?:\/\//, '');
}

interface Keys {
  readonly promise: Promise<readonly JsonWebKey[]>;
  /** Monotonic milliseconds. */
  readonly fetchedAt: number;
}

interface Entry {
  readonly provider: OpenIdConnectProvider;
  keys: Keys | undefined;
}

function entryId(accountId: string, issuer: string): string {
  return `${accountId} ${issuer}`;
}

function checkProvider({ accountId, issuer, jwksUri, clientIds }: OpenIdConnectProvider): void {
  if (!/^\d{12}$/.test(accountId)) throw new Error('"accountId" must be 12 digits');
  for (const [name, text] of Object.entries({ issuer, jwksUri })) {
    const url = new URL(text);
    const plain =
      url.protocol === 'http:' && /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname);
    if (url.protocol !== 'https:' && !plain) {
      throw new Error(`"${name}" must be an https URL, or http on loopback`);
    }
  }
  if (clientIds.length > maxClientIds) {
    throw new Error(`"clientIds" must have at most ${maxClientIds} entries, as in IAM`);
  }
}

/**
 * As recorded on real AWS: of two with one id the later one counts, a key that is not for signatures, that lists its operations or
 * has the certificate of another is none, and one with more than 100 keys of its type beside it is not found. A set of one needs
 * no id.
 */
function chosenKey(
  keys: readonly JsonWebKey[],
  keyId: string | undefined,
  keyType: 'RSA' | 'EC',
): JsonWebKey | undefined {
  if (keys.filter(({ kty }) => kty === keyType).length > maxKeysOfAType) return undefined;
  const [only, another] = keys;
  const unnamed = keyId === undefined && another === undefined ? only : undefined;
  const key = unnamed ?? keys.findLast((one) => keyId !== undefined && one['kid'] === keyId);
  if (key === undefined || (key['use'] !== undefined && key['use'] !== 'sig')) return undefined;
  return 'key_ops' in key || !agreesWithCertificate(key) ? undefined : key;
}

async function fetchKeys(jwksUri: string, limits: BoundedRequest) {
  const { status, headers, body } = await boundedFetch(jwksUri, limits);
  if (status !== 200 || body === undefined) throw new Error('no JWKS');
  return {
    keys: parseKeys(Buffer.from(body).toString()),
    mayBeKept: !/no-cache|no-store/.test(headers.get('cache-control') ?? ''),
  };
}

function parseKeys(text: string): readonly JsonWebKey[] {
  const { keys } = JSON.parse(text) as { readonly keys?: unknown };
  if (!Array.isArray(keys) || !keys.every(isJsonObject)) throw new Error('not a JWKS');
  return keys;
}

function keyNotRetrieved(): StsError {
  return new StsError(
    'InvalidIdentityToken',
    // Two spaces after "provider,", as AWS writes it.
    "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
  );
}
