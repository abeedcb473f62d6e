import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { BrokerError } from '../../src/core/errors.ts';
import { parseJwks } from '../../src/identity/keys/jwks.ts';
import { rsaKeys } from '../../src/identity/keys/rsa-keys.ts';
import { portion } from '../support/fuzz-budget.ts';
import type { JwksFault } from '../support/jwks-server.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';
import {
  startValidation,
  testIssuer,
  type Validation,
  type ValidationOptions,
  verdict,
} from '../support/token-validation.ts';
import {
  accessClaims,
  createTestKey,
  mintToken,
  renamedKey,
  type TestKey,
  testClient,
} from '../support/tokens.ts';

const minute = 60_000;
const hour = 60 * minute;
const first = createTestKey('key-1');
const second = createTestKey('key-2');

const running: Validation[] = [];
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'jwks-'));
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((validation) => validation.stop()));
  await rm(directory, { recursive: true, force: true });
});

async function start(options: Partial<ValidationOptions> = {}): Promise<Validation> {
  const validation = await startValidation({ publish: [first], ...options });
  running.push(validation);
  return validation;
}

let serial = 0;
/** A token not seen before, so that nothing is answered from memory. */
function freshToken({ clock }: Validation, key: TestKey): string {
  serial += 1;
  return mintToken(key, { claims: accessClaims(testIssuer, clock.now(), { jti: `t-${serial}` }) });
}

function ask(validation: Validation, key: TestKey) {
  return verdict(validation.validator, freshToken(validation, key));
}

const unknownKey = (name: string) => renamedKey(first, name);

describe('fetching keys', () => {
  it('T5: however many validations at once on a cold start cause one fetch', async () => {
    const validation = await start();
    const verdicts = await Promise.all(
      Array.from({ length: portion(1_000) }, () => ask(validation, first)),
    );
    expect(new Set(verdicts)).toEqual(new Set(['accepted']));
    expect(validation.server.requests).toBe(1);
  });

  it('T5: a flood of unknown key ids causes one fetch in 30 s', async () => {
    const validation = await start();
    await validation.source.start();
    expect(validation.server.requests).toBe(1);
    for (let round = 1; round <= 3; round += 1) {
      const verdicts = await Promise.all(
        Array.from({ length: portion(300) }, (_, i) =>
          ask(validation, unknownKey(`unknown-${round}-${i}`)),
        ),
      );
      expect(new Set(verdicts)).toEqual(new Set(['token_key_unknown']));
      expect(validation.server.requests).toBe(1 + round);
      await validation.clock.advance(29_999);
      expect(await ask(validation, unknownKey('late'))).toBe('token_key_unknown');
      expect(validation.server.requests).toBe(1 + round);
      await validation.clock.advance(1);
    }
  });

  it('T5: unknown key ids neither evict nor delay known keys, even while the issuer hangs', async () => {
    const validation = await start();
    expect(await ask(validation, first)).toBe('accepted');
    await validation.clock.advance(31_000);
    validation.server.fault = { kind: 'hang' };
    const floods = Array.from({ length: 50 }, (_, i) =>
      ask(validation, unknownKey(`unknown-${i}`)),
    );
    for (let i = 0; i < 50; i += 1) {
      // Answered at once: not a promise.
      expect(validation.validator.validate(freshToken(validation, first))).toMatchObject({
        issuer: testIssuer,
      });
    }
    validation.server.fault = undefined;
    expect(new Set(await Promise.all(floods))).toEqual(new Set(['token_key_unknown']));
    expect(await ask(validation, first)).toBe('accepted');
  });

  it('T5: the budget of one issuer is not spent by tokens of another', async () => {
    const elsewhere = await start();
    const issuer = 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other';
    const { jwksUri } = elsewhere.server;
    const other = { pool: 'eu-west-1_Other', issuer, jwksUri, clients: [testClient] };
    const validation = await start({ otherPools: [{ ...other, tokenUse: ['access'] }] });
    const { validator, clock } = validation;
    expect(await ask(validation, unknownKey('unknown'))).toBe('token_key_unknown');
    const token = mintToken(first, { claims: accessClaims(issuer, clock.now()) });
    expect(await verdict(validator, token)).toBe('accepted');
    expect([validation.server.requests, elsewhere.server.requests]).toEqual([1, 1]);
  });

  it('accepts a new key at first use, right after a refresh that did not have it', async () => {
    const validation = await start();
    await validation.source.start();
    validation.server.publish(first, second);
    expect(await ask(validation, second)).toBe('accepted');
    expect(await ask(validation, first)).toBe('accepted');
    expect(validation.server.requests).toBe(2);
  });

  it('accepts every token through 24 hourly rotations', async () => {
    const validation = await start();
    await validation.source.start();
    let previous = first;
    for (let rotation = 1; rotation <= 24; rotation += 1) {
      const next = renamedKey(rotation % 2 === 0 ? first : second, `rotation-${rotation}`);
      validation.server.publish(next, previous);
      expect(await ask(validation, next)).toBe('accepted');
      expect(await ask(validation, previous)).toBe('accepted');
      const refreshed = validation.nextFetch();
      await validation.clock.advance(5 * minute);
      await refreshed;
      await validation.clock.advance(55 * minute);
      previous = next;
    }
  });

  it('refreshes every five minutes, and stops when told to', async () => {
    const validation = await start();
    await validation.source.start();
    for (let round = 2; round <= 4; round += 1) {
      await validation.clock.advance(5 * minute - 1);
      expect(validation.server.requests).toBe(round - 1);
      const refreshed = validation.nextFetch();
      await validation.clock.advance(1);
      expect(await refreshed).toMatchObject({ issuer: testIssuer, result: 'ok' });
      expect(validation.server.requests).toBe(round);
    }
    await validation.source.stop();
    await validation.clock.advance(hour);
    expect(validation.server.requests).toBe(4);
  });

  it.each([
    [0, 4.5 * minute],
    [1, 5.5 * minute],
  ])('spreads refreshes by a tenth: random %d waits %d ms', async (random, expectedMs) => {
    const validation = await start({ source: { random: () => random } });
    await validation.source.start();
    await validation.clock.advance(expectedMs - 1);
    expect(validation.server.requests).toBe(1);
    const refreshed = validation.nextFetch();
    await validation.clock.advance(1);
    await refreshed;
    expect(validation.server.requests).toBe(2);
  });

  it('tells the age of the keys and whether they are ready', async () => {
    const { source, clock } = await start();
    expect(source.ready(testIssuer)).toBe(false);
    expect(source.ageSeconds(testIssuer)).toBeUndefined();
    await source.start();
    expect(source.ready(testIssuer)).toBe(true);
    expect(source.ageSeconds(testIssuer)).toBe(0);
    await clock.advance(90_000);
    expect(source.ageSeconds(testIssuer)).toBe(90);
  });
});

describe('a JWKS URI that does not do what it should (T42)', () => {
  const faults: readonly (readonly [string, JwksFault])[] = [
    ['hangs', { kind: 'hang' }],
    ['resets', { kind: 'reset' }],
    ['answers 500', { kind: 'status', status: 500 }],
    ['answers 404', { kind: 'status', status: 404 }],
    ['answers 204', { kind: 'status', status: 204 }],
    ['redirects', { kind: 'redirect', location: 'http://127.0.0.1:9/jwks.json' }],
    ['stops half way', { kind: 'truncated' }],
    ['never ends', { kind: 'endless' }],
    ['answers with HTML', { kind: 'body', body: '<html>sign in to the Wi-Fi</html>' }],
    ['answers with nothing', { kind: 'body', body: '' }],
    ['answers with no keys', { kind: 'body', body: '{"keys":[]}' }],
    ['answers with more than 64 KiB', { kind: 'padded', blanks: 65_536 }],
  ];

  it.each(faults)('T15: that %s leaves the last good keys in force', async (_name, fault) => {
    const validation = await start();
    expect(await ask(validation, first)).toBe('accepted');
    await validation.clock.advance(hour);
    validation.server.fault = fault;
    const asked = ask(validation, unknownKey('unknown'));
    // A refresh that fell due in that hour may hang as well, and before the one that is asked for.
    if (fault.kind === 'hang') await validation.clock.outlast(asked);
    expect(await asked).toBe('keys_unavailable');
    expect(validation.fetches.at(-1)).toMatchObject({ result: 'failed' });
    expect(await ask(validation, first)).toBe('accepted');
  });

  it.each(faults)(
    'that %s from the start is a 503, and over at once when it heals',
    async (_name, fault) => {
      const validation = await start();
      validation.server.fault = fault;
      const started = validation.source.start();
      if (fault.kind === 'hang') await validation.clock.expireDeadlines();
      await started;
      const asked = ask(validation, first);
      if (fault.kind === 'hang') await validation.clock.expireDeadlines();
      expect(await asked).toBe('keys_unavailable');
      expect(validation.source.ready(testIssuer)).toBe(false);
      validation.server.fault = undefined;
      const retried = validation.nextFetch();
      await validation.clock.advance(10_000);
      expect(await retried).toMatchObject({ result: 'ok' });
      expect(await ask(validation, first)).toBe('accepted');
    },
  );

  it('does not follow a redirect, not even to good keys', async () => {
    const good = await start();
    const validation = await start();
    validation.server.fault = { kind: 'redirect', location: good.server.jwksUri };
    expect(await ask(validation, first)).toBe('keys_unavailable');
    expect(good.server.requests).toBe(0);
  });

  it('fails fast without keys: one fetch in 30 s, however many ask', async () => {
    const validation = await start();
    validation.server.fault = { kind: 'status', status: 500 };
    for (let round = 1; round <= 3; round += 1) {
      const { requests } = validation.server;
      const verdicts = await Promise.all(Array.from({ length: 200 }, () => ask(validation, first)));
      expect(new Set(verdicts)).toEqual(new Set(['keys_unavailable']));
      expect(await ask(validation, first)).toBe('keys_unavailable');
      expect(validation.server.requests).toBe(requests + 1);
      await validation.clock.advance(30_000);
    }
  });

  it('tries again after 1, 2, 4, 8 and then every 9 seconds while it lasts', async () => {
    const validation = await start();
    validation.server.fault = { kind: 'status', status: 503 };
    await validation.source.start();
    let requests = 1;
    for (const seconds of [1, 2, 4, 8, 9, 9, 9]) {
      await validation.clock.advance(seconds * 1_000 - 1);
      expect(validation.server.requests).toBe(requests);
      const retried = validation.nextFetch();
      await validation.clock.advance(1);
      await retried;
      requests += 1;
      expect(validation.server.requests).toBe(requests);
    }
  });

  it('T15: keys serve for 24 hours without the issuer, then it is 503 and not 401', async () => {
    const validation = await start();
    expect(await ask(validation, first)).toBe('accepted');
    validation.server.fault = { kind: 'reset' };
    await validation.clock.jump(23 * hour);
    const token = freshToken(validation, first);
    expect(await verdict(validation.validator, token)).toBe('accepted');
    await validation.clock.jump(hour);
    expect(await ask(validation, first)).toBe('accepted');
    await validation.clock.jump(1);
    expect(await ask(validation, first)).toBe('keys_unavailable');
    expect(validation.source.ready(testIssuer)).toBe(false);
    validation.server.fault = undefined;
    await validation.clock.advance(30_000);
    expect(await ask(validation, first)).toBe('accepted');
  });

  it('says whether the keys could not be fetched, or were fetched and refused', async () => {
    const detailOf = async (validation: Awaited<ReturnType<typeof start>>) => {
      try {
        await validation.validator.validate(freshToken(validation, first));
        return 'accepted';
      } catch (error) {
        return (error as BrokerError).detail;
      }
    };
    const away = await start();
    away.server.fault = { kind: 'reset' };
    expect(await detailOf(away)).toMatch(/reaches the JWKS URI/);
    expect(await detailOf(await start({ publish: [] }))).toMatch(/was fetched and refused/);
  });

  it('T15: a remembered token does not outlive the maximum age of the keys either', async () => {
    const validation = await start({ source: { maxAgeMs: 10 * minute } });
    const token = freshToken(validation, first);
    expect(await verdict(validation.validator, token)).toBe('accepted');
    validation.server.fault = { kind: 'reset' };
    await validation.clock.advance(10 * minute);
    expect(await verdict(validation.validator, token)).toBe('accepted');
    await validation.clock.advance(1);
    expect(await verdict(validation.validator, token)).toBe('keys_unavailable');
  });

  it.each([
    ['back', -12 * hour, 24 * hour + 1],
    ['forward, as after a suspension', 24 * hour, 1],
  ])('T15: a clock set %s does not make old keys young', async (_name, stepMs, advanceMs) => {
    const stepping = steppingClock();
    const { source } = await start({ clock: stepping.clock });
    await source.start();
    await source.stop();
    stepping.step(stepMs);
    await stepping.clock.advance(advanceMs);
    expect(source.ready(testIssuer)).toBe(false);
  });

  it('T15: a clock set back does not make stored keys young', async () => {
    const stepping = steppingClock();
    const { clock } = stepping;
    const before = await start({ clock, source: { directory } });
    await before.source.start();
    await before.source.stop();
    await clock.advance(23 * hour);
    const { source, server } = await start({ clock, source: { directory } });
    server.fault = { kind: 'reset' };
    await source.start();
    await source.stop();
    expect(source.ready(testIssuer)).toBe(true);
    stepping.step(-12 * hour);
    await clock.advance(hour + 1);
    expect(source.ready(testIssuer)).toBe(false);
  });
});

describe('what an issuer withdraws', () => {
  it('T15: a removed key is refused from the next refresh on, remembered tokens included', async () => {
    const validation = await start({ publish: [first, second] });
    await validation.source.start();
    const token = freshToken(validation, first);
    expect(await verdict(validation.validator, token)).toBe('accepted');
    validation.server.publish(second);
    const refreshed = validation.nextFetch();
    await validation.clock.advance(5 * minute);
    await refreshed;
    expect(await verdict(validation.validator, token)).toBe('token_key_unknown');
    expect(await ask(validation, first)).toBe('token_key_unknown');
    expect(await ask(validation, second)).toBe('accepted');
  });

  it('T15: a key id with a new key stands for the new key only, remembered tokens included', async () => {
    const validation = await start();
    await validation.source.start();
    const token = freshToken(validation, first);
    expect(await verdict(validation.validator, token)).toBe('accepted');
    const replacement = renamedKey(second, first.kid);
    validation.server.publish(replacement);
    const refreshed = validation.nextFetch();
    await validation.clock.advance(5 * minute);
    await refreshed;
    expect(await verdict(validation.validator, token)).toBe('token_signature_invalid');
    expect(await ask(validation, first)).toBe('token_signature_invalid');
    expect(await ask(validation, replacement)).toBe('accepted');
  });

  it('T15: a refresh without changes keeps remembered tokens', async () => {
    const validation = await start();
    await validation.source.start();
    const token = freshToken(validation, first);
    const caller = await validation.validator.validate(token);
    const refreshed = validation.nextFetch();
    await validation.clock.advance(5 * minute);
    await refreshed;
    expect(validation.validator.validate(token)).toBe(caller);
  });
});

describe('keys that outlive the process', () => {
  it('serves after a restart while the issuer is down', async () => {
    const before = await start({ source: { directory } });
    await before.source.start();
    await before.source.stop();
    const after = await start({ source: { directory }, clock: before.clock });
    after.server.fault = { kind: 'reset' };
    await after.clock.advance(23 * hour);
    await after.source.start();
    expect(await ask(after, first)).toBe('accepted');
    expect(await ask(after, unknownKey('unknown'))).toBe('keys_unavailable');
    expect(after.source.ageSeconds(testIssuer)).toBe(23 * 3600);
    await after.clock.advance(hour + 1);
    expect(await ask(after, first)).toBe('keys_unavailable');
    expect(after.storeFailures).toEqual([]);
  });

  it('does not wait for an issuer that hangs when there are stored keys', async () => {
    const before = await start({ source: { directory } });
    await before.source.start();
    await before.source.stop();
    const after = await start({ source: { directory, fetchTimeoutMs: 60_000 } });
    after.server.fault = { kind: 'hang' };
    await after.source.start();
    expect(await ask(after, first)).toBe('accepted');
    after.server.fault = undefined;
  });

  it('T15: does not bring back a key that was withdrawn before the restart', async () => {
    const before = await start({ publish: [first, second], source: { directory } });
    await before.source.start();
    before.server.publish(second);
    const refreshed = before.nextFetch();
    await before.clock.advance(5 * minute);
    await refreshed;
    await before.source.stop();
    const after = await start({ source: { directory }, clock: before.clock });
    after.server.fault = { kind: 'reset' };
    await after.source.start();
    expect(await ask(after, first)).toBe('keys_unavailable');
    expect(await ask(after, second)).toBe('accepted');
  });

  it('T15: ignores stored keys that are too old or from the future', async () => {
    const before = await start({ source: { directory } });
    await before.source.start();
    await before.source.stop();
    const [name = ''] = await readdir(directory);
    const stored = JSON.parse(await readFile(join(directory, name), 'utf8'));
    for (const ageMs of [24 * hour + 1, -2 * minute]) {
      const fetchedAt = before.clock.now() - ageMs;
      await writeFile(join(directory, name), JSON.stringify({ ...stored, fetchedAt }));
      const after = await start({ source: { directory }, clock: before.clock });
      after.server.fault = { kind: 'reset' };
      await after.source.start();
      expect(after.source.ready(testIssuer)).toBe(false);
    }
  });

  it('names the file by the issuer, for this service only, and leaves no other', async () => {
    const validation = await start({ source: { directory: join(directory, 'keys') } });
    await validation.source.start();
    await validation.source.stop();
    const names = await readdir(join(directory, 'keys'));
    expect(names).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.json$/)]);
    const { mode } = await stat(join(directory, 'keys', names[0] ?? ''));
    expect(mode & 0o777).toBe(0o600);
    expect((await stat(join(directory, 'keys'))).mode & 0o777).toBe(0o700);
  });

  it.each([
    ['empty', () => ''],
    ['cut off', (text: string) => text.slice(0, 100)],
    ['not JSON', () => 'keys'],
    ['of another issuer', (text: string) => text.replace('cognito-idp', 'cognito-xyz')],
    ['without a date', (text: string) => text.replace('fetchedAt', 'fetched')],
    ['without keys', (text: string) => text.replace('"jwks"', '"none"')],
    ['with a key twice', (text: string) => text.replace(/\[(.*)\]/, '[$1,$1]')],
    ['huge', (text: string) => text + ' '.repeat(300_000)],
  ])('ignores and reports a stored file that is %s', async (_name, spoil) => {
    const before = await start({ source: { directory } });
    await before.source.start();
    await before.source.stop();
    const [name = ''] = await readdir(directory);
    const file = join(directory, name);
    await writeFile(file, spoil(await readFile(file, 'utf8')));
    const after = await start({ source: { directory }, clock: before.clock });
    after.server.fault = { kind: 'reset' };
    await after.source.start();
    expect(after.source.ready(testIssuer)).toBe(false);
    expect(after.storeFailures).toMatchObject([{ issuer: testIssuer, operation: 'read' }]);
    after.server.fault = undefined;
    const retried = after.nextFetch();
    await after.clock.advance(1_000);
    await retried;
    expect(await ask(after, first)).toBe('accepted');
  });

  it('serves, and reports, when the directory cannot be written', async () => {
    const file = join(directory, 'a-file');
    await writeFile(file, '');
    await chmod(file, 0o400);
    const validation = await start({ source: { directory: file } });
    await validation.source.start();
    expect(await ask(validation, first)).toBe('accepted');
    await validation.source.stop();
    expect(validation.storeFailures.map(({ operation }) => operation)).toContain('write');
  });
});

describe('vetting of published keys', () => {
  const small = createTestKey('small', { bits: 1024 });
  const oddExponent = createTestKey('exponent-3', { publicExponent: 3 });
  const { jwk } = first;

  const parse = (...keys: readonly unknown[]) =>
    parseJwks(Buffer.from(JSON.stringify({ keys })), rsaKeys('RS256'));

  it.each([
    ['of 1024 bits', small.jwk],
    ['of more than 8192 bits', { ...jwk, n: withModulus((n) => n ** 5n) }],
    ['with exponent 3', oddExponent.jwk],
    ['with exponent 1', { ...jwk, e: 'AQ' }],
    ['with an even modulus', { ...jwk, n: withModulus((n) => n - 1n) }],
    ['with a modulus divisible by 3', { ...jwk, n: withModulus(oddMultipleOf3) }],
    ['of the ROCA kind', { ...jwk, n: rocaModulus() }],
    ['for encryption', { ...jwk, use: 'enc' }],
    ['for an odd use', { ...jwk, use: ['sig'] }],
    ['whose operations leave out verify', { ...jwk, key_ops: ['sign'] }],
    ['whose operations are empty', { ...jwk, key_ops: [] }],
    ['whose operations are no list', { ...jwk, key_ops: 'verify' }],
    ['for another algorithm', { ...jwk, alg: 'RS512' }],
    ['for an encryption algorithm', { ...jwk, alg: 'RSA-OAEP' }],
    ['that is elliptic', { kty: 'EC', kid: 'ec', crv: 'P-256', x: 'AA', y: 'AA' }],
    ['of an unknown type', { kty: 'LWE', kid: 'pq' }],
    ['without a type', { ...jwk, kty: undefined }],
    ['without a kid', { ...jwk, kid: undefined }],
    ['with a number for a kid', { ...jwk, kid: 1 }],
    ['without a modulus', { ...jwk, n: undefined }],
    ['with exponent 65537 and a leading zero', { ...jwk, e: 'AAEAAQ' }],
    ['with exponent 65537 and padding', { ...jwk, e: 'AQAB=' }],
    ['with a modulus that has padding', { ...jwk, n: `${jwk.n}==` }],
    ['with a modulus that has a leading zero', { ...jwk, n: withLeadingZero(jwk.n) }],
    ['with a modulus in plain base64', { ...jwk, n: `+${jwk.n.slice(1)}` }],
    ['with a modulus that has a line break', { ...jwk, n: `${jwk.n}\n` }],
  ])('T14: leaves out a key %s', (_name, entry) => {
    expect([...parse(entry, second.jwk).keys()]).toEqual(['key-2']);
    expect(() => parse(entry)).toThrow('no usable RS256 key');
  });

  it.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])(
    'T86: leaves out a key that is published with its private member %s, under every kid',
    (member) => {
      const entry = { ...jwk, [member]: member === 'oth' ? [{ r: 'AQAB' }] : 'AQAB' };
      const again = { ...jwk, kid: 'another' };
      expect([...parse(entry, again, second.jwk).keys()]).toEqual(['key-2']);
      expect(() => parse(again, entry)).toThrow('no usable RS256 key');
    },
  );

  it.each([
    ['without use', { ...jwk, use: undefined }],
    ['without alg', { ...jwk, alg: undefined }],
    ['with operations', { ...jwk, use: undefined, key_ops: ['verify'] }],
    ['with members unknown here', { ...jwk, 'x-note': { any: ['thing'] } }],
  ])('T14: takes a key %s', (_name, entry) => {
    expect([...parse(entry).keys()]).toEqual(['key-1']);
  });

  it.each([
    ['the same kid twice', [jwk, second.jwk, { ...second.jwk, kid: jwk['kid'] }]],
    ['the same key twice', [jwk, jwk]],
    ['the same kid on a key for encryption', [jwk, { ...second.jwk, kid: jwk['kid'], use: 'enc' }]],
    ['a symmetric key', [jwk, { kty: 'oct', kid: 'secret', k: 'AAAA' }]],
    ['something that is no key', [jwk, 'key']],
    ['null', [jwk, null]],
  ])('T14: refuses a whole set with %s', (_name, keys) => {
    expect(() => parse(...keys)).toThrow('the JWKS has');
  });

  it.each(['[]', '{}', '{"keys":{}}', '{"keys":[],"keys":[]}', 'null', '', '\ufeff{"keys":[]}'])(
    'T14: refuses the document %j',
    (text) => {
      expect(() => parseJwks(Buffer.from(text), rsaKeys('RS256'))).toThrow('the JWKS');
    },
  );

  it('T14: keeps the last good set, and says so, when the new one is ambiguous', async () => {
    const validation = await start();
    expect(await ask(validation, first)).toBe('accepted');
    await validation.clock.advance(minute);
    const forged = renamedKey(second, first.kid);
    validation.server.publish(first, forged);
    expect(await ask(validation, second)).toBe('keys_unavailable');
    expect(validation.fetches.at(-1)).toMatchObject({ result: 'failed' });
    expect(await ask(validation, first)).toBe('accepted');
    expect(await ask(validation, forged)).toBe('token_signature_invalid');
  });

  it('T14: a token signed with a weak key that is published is refused', async () => {
    const validation = await start({ publish: [first, small] });
    expect(await ask(validation, small)).toBe('token_key_unknown');
    expect(await ask(validation, first)).toBe('accepted');
  });
});

/** A clock whose wall time can be set, as an operator or a hypervisor may. */
function steppingClock(): { readonly clock: TestClock; step(ms: number): void } {
  const steady = createTestClock();
  let offsetMs = 0;
  return {
    clock: { ...steady, now: () => steady.now() + offsetMs },
    step(ms) {
      offsetMs += ms;
    },
  };
}

function withModulus(change: (n: bigint) => bigint): string {
  const n = BigInt(`0x${Buffer.from(first.jwk.n, 'base64url').toString('hex')}`);
  const hex = change(n).toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString('base64url');
}

function withLeadingZero(number: string): string {
  const bytes = Buffer.from(number, 'base64url');
  return Buffer.concat([Buffer.of(0), bytes]).toString('base64url');
}

function oddMultipleOf3(n: bigint): bigint {
  const multiple = n - (n % 3n);
  return multiple % 2n === 1n ? multiple : multiple - 3n;
}

/** Congruent to a power of 65537 modulo the product of the small primes, as CVE-2017-15361 makes them. */
function rocaModulus(): string {
  const primes = Array.from({ length: 166 }, (_, i) => i + 2).filter((n) =>
    Array.from({ length: n - 2 }, (_, i) => i + 2).every((divisor) => n % divisor !== 0),
  );
  const product = primes.reduce((sum, prime) => sum * BigInt(prime), 1n);
  const residue = 65537n ** 5n % product;
  return withModulus((n) => n - (n % product) + residue);
}
