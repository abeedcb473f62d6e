import { createPublicKey, type JsonWebKey, X509Certificate } from 'node:crypto';

/** RFC 7517 section 4.7: the first certificate of `x5c`, where there are any, is of this key. */
export function agreesWithCertificate(key: JsonWebKey): boolean {
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
