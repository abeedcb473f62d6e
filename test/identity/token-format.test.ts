import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  startValidation,
  testIssuer,
  type Validation,
  verdict,
} from '../support/token-validation.ts';
import {
  accessClaims,
  base64url,
  createTestKey,
  mintToken,
  signRaw,
  signSegments,
} from '../support/tokens.ts';

const key = createTestKey('key-1');
let validation: Validation;
beforeAll(async () => {
  validation = await startValidation({ publish: [key] });
  // Keys are at hand, so that every refusal below is a refusal of the token.
  await validation.validator.validate(goodToken());
});
afterAll(() => validation.stop());

function goodClaims(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return accessClaims(testIssuer, validation.clock.now(), changes);
}

function goodToken(changes: Readonly<Record<string, unknown>> = {}): string {
  return mintToken(key, { claims: goodClaims(changes) });
}

function verdictOn(token: string) {
  return verdict(validation.validator, token);
}

/** A payload in which one member is written by hand. */
function withRawMember(name: string, json: string): string {
  const { [name]: _replaced, ...rest } = goodClaims();
  return `${JSON.stringify(rest).slice(0, -1)},${JSON.stringify(name)}:${json}}`;
}

const header = JSON.stringify({ alg: 'RS256', kid: key.kid });

describe('the form of a token', () => {
  it.each([
    ['alg none', 'none'],
    ['alg None', 'None'],
    ['alg nOnE', 'nOnE'],
    ['alg NONE', 'NONE'],
    ['alg in the wrong case', 'rs256'],
    ['alg RS384', 'RS384'],
    ['alg RS512', 'RS512'],
    ['an empty alg', ''],
    ['a numeric alg', 256],
    ['a list of algs', ['RS256']],
    ['a null alg', null],
    ['no alg', undefined],
  ])('T1: refuses %s, however well signed', async (_name, alg) => {
    expect(await verdictOn(mintToken(key, { header: { alg }, claims: goodClaims() }))).toBe(
      'token_malformed',
    );
  });

  it.each([
    ['nothing', () => ''],
    ['two parts', (token: string) => token.slice(0, token.lastIndexOf('.'))],
    ['an empty signature', (token: string) => token.slice(0, token.lastIndexOf('.') + 1)],
    ['alg none and an empty signature', () => `${base64url('{"alg":"none"}')}.e30.`],
    ['an empty payload', (token: string) => token.replace(/\..+\./, '..')],
    ['four parts', (token: string) => `${token}.AA`],
    ['only dots', () => '..'],
  ])('T1: refuses %s', async (_name, change) => {
    expect(await verdictOn(change(goodToken()))).toBe('token_malformed');
  });

  const secrets: readonly (readonly [string, () => string | Buffer])[] = [
    ['the PEM', () => key.publicKey.export({ type: 'spki', format: 'pem' })],
    ['the PKCS#1 PEM', () => key.publicKey.export({ type: 'pkcs1', format: 'pem' })],
    ['the DER', () => key.publicKey.export({ type: 'spki', format: 'der' })],
    ['the JWK', () => JSON.stringify(key.jwk)],
    ['the modulus', () => key.jwk.n],
    ['nothing', () => ''],
  ];

  it.each(
    secrets.flatMap(([name, secret]) => [
      { name, secret, alg: 'HS256', code: 'token_malformed' },
      { name, secret, alg: 'HS512', code: 'token_malformed' },
      { name, secret, alg: 'RS256', code: 'token_signature_invalid' },
    ]),
  )('T2: refuses an HMAC keyed with $name under alg $alg', async ({ secret, alg, code }) => {
    const input = `${base64url(JSON.stringify({ alg, kid: key.kid }))}.${base64url(JSON.stringify(goodClaims()))}`;
    const hash = alg === 'HS512' ? 'sha512' : 'sha256';
    const signature = createHmac(hash, secret()).update(input).digest('base64url');
    expect(await verdictOn(`${input}.${signature}`)).toBe(code);
  });

  it.each([
    ['jku', 'https://attacker.example/jwks.json'],
    ['jwk', key.jwk],
    ['x5u', 'https://attacker.example/cert.pem'],
    ['x5c', ['MIIB']],
    ['x5t', 'AAAA'],
    ['x5t#S256', 'AAAA'],
    ['jku', null],
  ])('T3: refuses a header that brings or points to a key by %s', async (name, value) => {
    const before = validation.server.requests;
    expect(
      await verdictOn(mintToken(key, { header: { [name]: value }, claims: goodClaims() })),
    ).toBe('token_malformed');
    expect(validation.server.requests).toBe(before);
  });

  it.each([
    ['missing', undefined],
    ['empty', ''],
    ['null', null],
    ['a number', 1],
    ['a list', ['key-1']],
    ['a path with a NUL', '../../dev/null\u0000'],
    ['SQL', "key-1' OR '1'='1"],
    ['4 KB long', 'k'.repeat(4096)],
    ['129 characters long', 'k'.repeat(129)],
    ['a line for the log', 'key-1\n{"level":"info"}'],
    ['full of control characters', '\u001b[2J'],
    ['not ASCII', 'kéy'],
  ])('T4: refuses a kid that is %s', async (_name, kid) => {
    expect(await verdictOn(mintToken(key, { header: { kid }, claims: goodClaims() }))).toBe(
      'token_malformed',
    );
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', '../../../../etc/passwd'])(
    'T4: finds no key by the kid %s',
    async (kid) => {
      expect(await verdictOn(mintToken(key, { header: { kid }, claims: goodClaims() }))).toBe(
        'token_key_unknown',
      );
    },
  );

  it.each(['ES256', 'ES384', 'ES512', 'EdDSA', 'PS256', 'ES256K'])(
    'T6: refuses %s with a signature of zeros',
    async (alg) => {
      const claims = base64url(JSON.stringify(goodClaims()));
      const zeros = base64url(new Uint8Array(64));
      const input = `${base64url(JSON.stringify({ alg, kid: key.kid }))}.${claims}`;
      expect(await verdictOn(`${input}.${zeros}`)).toBe('token_malformed');
    },
  );

  it('T6: refuses RS256 with a signature of zeros or of ones', async () => {
    const input = goodToken().replace(/\.[^.]*$/, '');
    for (const byte of [0, 1, 255]) {
      const signature = base64url(new Uint8Array(256).fill(byte));
      expect(await verdictOn(`${input}.${signature}`)).toBe('token_signature_invalid');
    }
  });

  it.each([
    ['crit', ['exp']],
    ['crit', []],
    ['crit', null],
    ['b64', false],
    ['b64', true],
    ['cty', 'JWT'],
    ['zip', 'DEF'],
    ['enc', 'A256GCM'],
    ['typ', 'dpop+jwt'],
    ['typ', 'JOSE+JSON'],
    ['typ', ''],
    ['typ', 7],
    ['typ', null],
  ])('T7: refuses the header parameter %s = %j', async (name, value) => {
    expect(
      await verdictOn(mintToken(key, { header: { [name]: value }, claims: goodClaims() })),
    ).toBe('token_malformed');
  });

  it('T7: refuses JWE, JSON serialization and detached payloads', async () => {
    const [protectedHeader = '', payload = '', signature = ''] = goodToken().split('.');
    const flattened = JSON.stringify({ protected: protectedHeader, payload, signature });
    const forms = [
      `${protectedHeader}.${payload}.${payload}.${payload}.${signature}`,
      flattened,
      JSON.stringify({ payload, signatures: [{ protected: protectedHeader, signature }] }),
      `${protectedHeader}..${signature}`,
    ];
    for (const form of forms) expect(await verdictOn(form)).toBe('token_malformed');
  });

  it.each(['JWT', 'jwt', 'at+jwt', 'AT+JWT', 'JWS'])('T7: accepts the type %s', async (typ) => {
    expect(await verdictOn(mintToken(key, { header: { typ }, claims: goodClaims() }))).toBe(
      'accepted',
    );
  });

  it.each([
    ['a leading space', (token: string) => ` ${token}`],
    ['a trailing space', (token: string) => `${token} `],
    ['a trailing line feed', (token: string) => `${token}\n`],
    ['a line feed inside', (token: string) => token.replace('.', '.\n')],
    ['a tab inside', (token: string) => `${token.slice(0, 40)}\t${token.slice(40)}`],
    ['a padded signature', (token: string) => `${token}=`],
    ['a twice padded signature', (token: string) => `${token}==`],
    ['a padded payload', (token: string) => token.replace(/\.([^.]*)$/, '=.$1')],
    ['a padded header', (token: string) => token.replace('.', '=.')],
    ['a full stop at the end', (token: string) => `${token}.`],
    ['extra characters', (token: string) => `${token}AAA`],
    ['a percent escape', (token: string) => token.replace('.', '%2E')],
    ['a NUL', (token: string) => `${token}\0`],
    ['a character that looks alike', (token: string) => token.replace('e', 'е')],
  ])('T8: refuses a good token with %s', async (_name, change) => {
    expect(await verdictOn(change(goodToken()))).toBe('token_malformed');
  });

  it('T8: refuses the base64 alphabet where base64url differs', async () => {
    // One of the signatures will have both characters; they are random but for the claims.
    for (let serial = 0; ; serial += 1) {
      const token = goodToken({ jti: `serial-${serial}` });
      const [, , signature = ''] = token.split('.');
      if (!signature.includes('-') || !signature.includes('_')) continue;
      const input = token.slice(0, -signature.length);
      expect(await verdictOn(token)).toBe('accepted');
      expect(await verdictOn(input + signature.replaceAll('-', '+'))).toBe('token_malformed');
      expect(await verdictOn(input + signature.replaceAll('_', '/'))).toBe('token_malformed');
      return;
    }
  });

  it('T8: accepts one spelling of a token and none of those that decode to the same bytes', async () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const token = goodToken();
    const [, , signature = ''] = token.split('.');
    const bytes = Buffer.from(signature, 'base64url');
    const spellings = [...alphabet]
      .map((last) => signature.slice(0, -1) + last)
      .filter((spelling) => Buffer.from(spelling, 'base64url').equals(bytes));
    expect(spellings).toHaveLength(16);
    const verdicts = await Promise.all(
      spellings.map((spelling) => verdictOn(token.slice(0, -signature.length) + spelling)),
    );
    expect(verdicts.filter((code) => code === 'accepted')).toHaveLength(1);
    expect(verdicts.filter((code) => code === 'token_malformed')).toHaveLength(15);
  });

  it('T8: refuses unused bits in header and payload even if they were signed that way', async () => {
    const payload = JSON.stringify(goodClaims());
    // With one byte left over the last character carries four unused bits; after a space it is an "A".
    const spelled = (json: string, last: string) => {
      const text = json.padEnd(json.length + 3 - ((json.length + 2) % 3), ' ');
      return base64url(text).slice(0, -1) + last;
    };
    const signed = (last: string, other: string) =>
      verdictOn(signSegments(key, spelled(header, last), spelled(payload, other)));
    expect(await signed('A', 'A')).toBe('accepted');
    expect(await signed('B', 'A')).toBe('token_malformed');
    expect(await signed('A', 'B')).toBe('token_malformed');
  });

  it.each([
    ['exp', ['1.5', '"1768482000"', '-1', '0', 'null', 'true', '[1]', '{}', '1e17']],
    ['iat', ['1.5', '"1768482000"', '-1', '0', '-0', 'null', 'false', '[]', '1e17']],
    ['nbf', ['1.5', '"1768482000"', '-1', '0', 'null']],
    ['auth_time', ['1.5', '"1768482000"', '-1', '0', 'null']],
  ])('T9: refuses %s that is not a whole, positive number: %j', async (name, values) => {
    for (const value of values) {
      expect(await verdictOn(signRaw(key, header, withRawMember(name, value)))).toBe(
        'token_claims_invalid',
      );
    }
  });

  it.each(['exp', 'iat', 'nbf', 'auth_time'])('T9: reads no %s beyond numbers', async (name) => {
    expect(await verdictOn(signRaw(key, header, withRawMember(name, '1e400')))).toBe(
      'token_malformed',
    );
  });

  it.each(['exp', 'iat', 'sub', 'token_use'])('T9: refuses a token without %s', async (name) => {
    expect(await verdictOn(goodToken({ [name]: undefined }))).toBe('token_claims_invalid');
  });

  it('T9: refuses a token without iss', async () => {
    expect(await verdictOn(goodToken({ iss: undefined }))).toBe('token_issuer_unknown');
  });

  it('T9: refuses a lifetime of more than 24 hours and accepts one of exactly that', async () => {
    const iat = Math.floor(validation.clock.now() / 1000);
    const day = 24 * 60 * 60;
    expect(await verdictOn(goodToken({ iat, exp: iat + day }))).toBe('accepted');
    expect(await verdictOn(goodToken({ iat, exp: iat + day + 1 }))).toBe('token_claims_invalid');
    expect(await verdictOn(goodToken({ iat, exp: iat + 100 * 365 * day }))).toBe(
      'token_claims_invalid',
    );
    expect(await verdictOn(goodToken({ iat, exp: iat }))).toBe('token_claims_invalid');
  });

  it.each([
    ['expired a second ago', { exp: -1, iat: -3600 }, 'accepted'],
    ['expired as long ago as is tolerated', { exp: -30, iat: -3600 }, 'token_expired'],
    ['expired one second less ago', { exp: -29, iat: -3600 }, 'accepted'],
    ['expired long ago', { exp: -7200, iat: -10_800 }, 'token_expired'],
    ['issued as far ahead as is tolerated', { exp: 3600, iat: 30 }, 'accepted'],
    ['issued one second further ahead', { exp: 3600, iat: 31 }, 'token_not_yet_valid'],
    ['issued ahead, though valid before', { exp: 3600, iat: 31, nbf: 1 }, 'token_not_yet_valid'],
    ['issued a year ahead', { exp: 31_536_600, iat: 31_536_000 }, 'token_not_yet_valid'],
    ['valid as far ahead as is tolerated', { exp: 3600, iat: 0, nbf: 30 }, 'accepted'],
    ['valid one second further ahead', { exp: 3600, iat: 0, nbf: 31 }, 'token_not_yet_valid'],
    ['signed in as far ahead as is tolerated', { exp: 3600, iat: 0, auth_time: 30 }, 'accepted'],
    ['signed in further ahead', { exp: 3600, iat: 0, auth_time: 31 }, 'token_not_yet_valid'],
  ])('T10: with 30 s of tolerance, a token %s', async (_name, offsets, expected) => {
    const nowSeconds = validation.clock.now() / 1000;
    const claims = Object.fromEntries(
      Object.entries(offsets).map(([name, offset]) => [name, nowSeconds + offset]),
    );
    expect(await verdictOn(goodToken(claims))).toBe(expected);
  });

  it.each([
    ['alg', `{"alg":"none","alg":"RS256","kid":"${key.kid}"}`],
    ['kid', `{"alg":"RS256","kid":"other","kid":"${key.kid}"}`],
    ['an escaped kid', `{"alg":"RS256","\\u006bid":"other","kid":"${key.kid}"}`],
  ])('T12: refuses a header with %s twice', async (_name, text) => {
    expect(await verdictOn(signRaw(key, text, JSON.stringify(goodClaims())))).toBe(
      'token_malformed',
    );
  });

  it.each([
    ['client_id', '"client_id":"another"'],
    ['sub', '"sub":"another"'],
    ['an escaped sub', '"\\u0073ub":"another"'],
    ['exp', '"exp":1'],
  ])('T12: refuses a payload with %s twice, at either end', async (_name, member) => {
    const good = JSON.stringify(goodClaims());
    for (const text of [`{${member},${good.slice(1)}`, `${good.slice(0, -1)},${member}}`]) {
      expect(await verdictOn(signRaw(key, header, text))).toBe('token_malformed');
    }
  });

  it('T12: refuses a byte order mark, invalid UTF-8 and lone surrogates that matter', async () => {
    const good = JSON.stringify(goodClaims());
    const bad = Buffer.concat([
      Buffer.from(`${good.slice(0, -1)},"x":"`),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"}'),
    ]);
    expect(await verdictOn(signRaw(key, header, `\ufeff${good}`))).toBe('token_malformed');
    expect(await verdictOn(signRaw(key, `\ufeff${header}`, good))).toBe('token_malformed');
    expect(await verdictOn(signRaw(key, header, bad))).toBe('token_malformed');
    expect(
      await verdictOn(signRaw(key, header, withRawMember('cognito:groups', '["\\ud800"]'))),
    ).toBe('token_claims_invalid');
  });

  it('T12: accepts eight levels of nesting and 256 names, and refuses one more', async () => {
    const nested = (depth: number) => '['.repeat(depth - 1) + ']'.repeat(depth - 1);
    const named = (count: number) =>
      Object.fromEntries(
        Array.from({ length: count - Object.keys(goodClaims()).length }, (_, i) => [`x${i}`, 1]),
      );
    expect(await verdictOn(signRaw(key, header, withRawMember('x', nested(8))))).toBe('accepted');
    expect(await verdictOn(signRaw(key, header, withRawMember('x', nested(9))))).toBe(
      'token_malformed',
    );
    expect(await verdictOn(goodToken(named(256)))).toBe('accepted');
    expect(await verdictOn(goodToken(named(257)))).toBe('token_malformed');
  });

  it.each(['__proto__', '\\u005f_proto__'])('T12: refuses a claim named %s', async (name) => {
    const good = JSON.stringify(goodClaims());
    const text = `${good.slice(0, -1)},"${name}":{"client_id":"x"}}`;
    expect(await verdictOn(signRaw(key, header, text))).toBe('token_malformed');
  });

  it.each(['[]', '"text"', '1', 'null', 'true', '', '{', '{}x', "{'iss':1}", 'NaN'])(
    'T12: refuses the payload %j',
    async (payload) => {
      expect(await verdictOn(signRaw(key, header, payload))).toBe('token_malformed');
      expect(await verdictOn(signRaw(key, payload, JSON.stringify(goodClaims())))).toBe(
        'token_malformed',
      );
    },
  );

  it('T13: refuses a token of more than 8192 characters and accepts up to that', async () => {
    const filled = (length: number) => goodToken({ filler: 'x'.repeat(length) });
    const middle = Math.floor(((8192 - filled(0).length) * 3) / 4);
    const tokens = Array.from({ length: 9 }, (_, index) => filled(middle - 4 + index));
    const sizes = tokens.map((token) => token.length);
    expect(Math.min(...sizes)).toBeLessThanOrEqual(8192);
    expect(Math.max(...sizes)).toBeGreaterThan(8192);
    for (const token of tokens) {
      expect(await verdictOn(token)).toBe(token.length <= 8192 ? 'accepted' : 'token_too_large');
    }
  });

  it('T13: refuses a huge token without reading it', async () => {
    expect(await verdictOn('A'.repeat(8193))).toBe('token_too_large');
    expect(await verdictOn(`${base64url('['.repeat(200_000))}.e30.AA`)).toBe('token_too_large');
  });
});
