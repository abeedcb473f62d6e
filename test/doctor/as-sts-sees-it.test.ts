/** What STS takes, and reaches: the rules that the checks of the doctor rest on. */

import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { isPublicAddress } from '../../src/doctor/public-addresses.ts';
import { isTakenBySts } from '../../src/doctor/usable-keys.ts';
import { rsaKeyPair } from '../support/rsa-keys.ts';

const rsa = rsaKeyPair().publicKey.export({ format: 'jwk' });
const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
  format: 'jwk',
});

describe('a published key', () => {
  it.each([
    ['RSA', rsa],
    ['of a curve', curve],
    ['with its use', { ...rsa, use: 'sig' }],
    ['with another algorithm, which STS does not look at', { ...rsa, alg: 'HS256' }],
  ])('%s is one that STS takes', (_, key) => expect(isTakenBySts(key)).toBe(true));

  it.each([
    ['for encryption', { ...rsa, use: 'enc' }],
    ['with a use that is no text', { ...rsa, use: null }],
    ['with operations, though it verifies', { ...rsa, key_ops: ['verify'] }],
    ['with a list of no operations', { ...rsa, key_ops: [] }],
    ['with a certificate that is none', { ...rsa, x5c: ['MIIB'] }],
    ['with no certificate in the list', { ...rsa, x5c: [] }],
    ['of another kind', { kty: 'OKP', crv: 'Ed25519', x: 'AAAA' }],
    ['of a secret', { kty: 'oct', k: 'AAAA' }],
    ['without a kind', { use: 'sig' }],
  ])('%s is one that STS passes over', (_, key) => expect(isTakenBySts(key)).toBe(false));
});

describe('an address', () => {
  it.each([
    ...['8.8.8.8', '100.63.255.255', '100.128.0.1', '172.15.255.255', '172.32.0.0', '192.0.1.1'],
    ...['198.17.255.255', '223.255.255.255', '2001:4860:4860::8888', '2600:9000::1'],
    ...['::ffff:8.8.8.8', '64:ff9b::808:808'],
  ])('%s is public', (address) => expect(isPublicAddress(address)).toBe(true));

  it.each([
    ...['0.0.0.0', '10.255.255.255', '100.64.0.1', '127.0.0.53', '169.254.169.254', '172.31.0.1'],
    ...['192.0.0.1', '192.0.2.1', '192.168.1.1', '198.19.0.1', '198.51.100.1', '203.0.113.1'],
    ...['224.0.0.1', '255.255.255.255', '::', '::1', '::ffff:10.0.0.1', '::ffff:127.0.0.1'],
    ...['64:ff9b:1::1', '100::1', '2001:db8::1', 'fd00:ec2::254', 'fe80::1', 'ff02::1'],
  ])('%s is none that STS reaches', (address) => expect(isPublicAddress(address)).toBe(false));
});
