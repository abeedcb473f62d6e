import { createPublicKey, type JsonWebKey, X509Certificate } from 'node:crypto';
import type { JsonObject } from '../kit/json/json-object.ts';

/**
 * Whether STS takes a published key (RFC 7517) for a signature, as was recorded of it in September 2026: it is of RSA or an elliptic curve, says nothing of
 * its use or `sig`, has no `key_ops` whatever they are, and no certificate (`x5c`) of another key. `alg` is not looked at. A key that it does not take is to
 * STS as if it were not there.
 */
export function isTakenBySts(key: JsonObject): boolean {
  const { use = 'sig', kty } = key;
  const isOfType = kty === 'RSA' || kty === 'EC';
  return isOfType && use === 'sig' && !('key_ops' in key) && agreesWithCertificate(key);
}

/** RFC 7517 section 4.7: the first certificate of `x5c`, where there are any, is of this key. STS passes over a key of another. */
function agreesWithCertificate(key: JsonWebKey): boolean {
  const { x5c } = key;
  if (x5c === undefined) return true;
  const [first]: readonly unknown[] = Array.isArray(x5c) ? x5c : [];
  if (typeof first !== 'string') return false;
  try {
    const { publicKey } = new X509Certificate(Buffer.from(first, 'base64'));
    return publicKey.equals(createPublicKey({ key, format: 'jwk' }));
  } catch {
    return false;
  }
}
