import { agreesWithCertificate } from '../kit/jose/key-certificate.ts';
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
