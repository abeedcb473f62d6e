import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  formatNote,
  isSignedBy,
  keyIdOf,
  parseNote,
} from '../../../src/audit/checkpoints/signed-note.ts';
import { runs } from '../../support/fuzz-budget.ts';

const text = 'example.com/log\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n';
const keyName = 'example.com/log';
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const note = formatNote(text, {
  keyName,
  keyId: keyIdOf(keyName, publicKey),
  signature: sign(null, Buffer.from(text), privateKey),
});

describe('a signed note', () => {
  it('names its key as the database of Go’s checksums does', () => {
    const [name = '', id, encoded = ''] =
      'sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8'.split(/\+(.{8})\+/);
    const x = Buffer.from(encoded, 'base64').subarray(1).toString('base64url');
    const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
    expect(keyIdOf(name, key).toString('hex')).toBe(id);
  });

  it('is what was signed, and nothing that differs from it in any character (T101)', () => {
    const read = (changed: string) => {
      const parsed = parseNote(changed);
      return parsed !== undefined && isSignedBy(parsed, publicKey) ? parsed.text : undefined;
    };
    expect(read(note)).toBe(text);
    fc.assert(
      fc.property(fc.nat(note.length - 1), fc.constantFrom('', '0', 'x', '\n', '\0'), (at, by) => {
        const changed = note.slice(0, at) + by + note.slice(at + 1);
        // A second spelling of the same signature is no other statement.
        expect([undefined, text]).toContain(read(changed));
        if (at < text.length && changed !== note) expect(read(changed)).not.toBe(text);
      }),
      runs(500),
    );
  });

  it('is not taken from a known key that has not signed it, whoever else has', () => {
    const forged = formatNote(text, {
      keyName,
      keyId: keyIdOf(keyName, publicKey),
      signature: Buffer.alloc(64),
    });
    const both = note + forged.slice(text.length + 1);
    expect(isSignedBy(parseNote(both) ?? { text: '', signatures: [] }, publicKey)).toBe(false);
    const other = generateKeyPairSync('ed25519').publicKey;
    expect(isSignedBy(parseNote(note) ?? { text: '', signatures: [] }, other)).toBe(false);
  });

  it('may have lines of others, which say nothing here', () => {
    const witnessed = `${note}— witness.example/w1 ${Buffer.alloc(80).toString('base64')}\n`;
    expect(isSignedBy(parseNote(witnessed) ?? { text: '', signatures: [] }, publicKey)).toBe(true);
  });
});
