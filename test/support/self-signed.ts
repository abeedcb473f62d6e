/** Certificates for loopback TLS, made here so that tests need neither OpenSSL nor a private key in the repository. */

import { generateKeyPairSync, type KeyPairKeyObjectResult, randomBytes, sign } from 'node:crypto';

export interface SelfSigned {
  readonly cert: string;
  readonly key: string;
}

export interface SelfSignedOptions {
  /** Of P-256 or RSA; default: a new one of P-256, which is made in no time. */
  readonly keys?: KeyPairKeyObjectResult;
  /** `YYMMDDhhmmssZ`; default: from 2020 to 2049. */
  readonly notBefore?: string;
  readonly notAfter?: string;
}

/** A certificate of X.509 version 1 (RFC 5280) with a new key. */
export function selfSigned(commonName: string, options: SelfSignedOptions = {}): SelfSigned {
  const { notBefore = '200101000000Z', notAfter = '491231235959Z' } = options;
  const { keys = generateKeyPairSync('ec', { namedCurve: 'P-256' }) } = options;
  const { privateKey, publicKey } = keys;
  const signatureAlgorithm =
    privateKey.asymmetricKeyType === 'ec'
      ? der(0x30, der(0x06, Buffer.from('2a8648ce3d040302', 'hex')))
      : der(0x30, der(0x06, Buffer.from('2a864886f70d01010b', 'hex')), der(0x05));
  const name = der(
    0x30,
    der(0x31, der(0x30, der(0x06, Buffer.from('550403', 'hex')), der(0x0c, commonName))),
  );
  const toBeSigned = der(
    0x30,
    der(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    signatureAlgorithm,
    name,
    der(0x30, der(0x17, notBefore), der(0x17, notAfter)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = Buffer.concat([Buffer.of(0), sign('sha256', toBeSigned, privateKey)]);
  const certificate = der(0x30, toBeSigned, signatureAlgorithm, der(0x03, signature));
  const base64 = certificate.toString('base64').replace(/.{1,64}/g, '$&\n');
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${base64}-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** Tag, length, value (ITU-T X.690); up to 65,535 bytes. */
function der(tag: number, ...parts: readonly (Buffer | string)[]): Buffer {
  const value = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const length =
    value.length < 128
      ? [value.length]
      : value.length < 256
        ? [0x81, value.length]
        : [0x82, value.length >> 8, value.length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...length), value]);
}
