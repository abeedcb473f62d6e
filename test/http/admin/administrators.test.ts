/** Who is an administrator: a person or a machine, never whoever comes by an app client that has the scopes. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AccessTokenOptions } from '../../../emulators/issuer/issuer.ts';
import type { AdminAccess } from '../../../src/core/admin-access.ts';
import {
  type AdminHarness,
  adaSub,
  adminClient,
  adminGroup,
  callerClient,
  freezeScope,
  legacyClient,
  readScope,
  startAdmin,
  testMapping,
  writeScope,
} from '../../support/admin-harness.ts';

const scopes = [readScope, writeScope, freezeScope];
const nobody = { groups: new Set<string>(), users: new Set<string>(), machines: false };

/** Every kind of request that a token of an administrator could make. */
const requests = [
  ['GET', '/v1/role-mappings', undefined],
  ['PUT', '/v1/role-mappings/gift?dryRun=true', testMapping('gift')],
  ['PUT', '/v1/role-mappings/gift', testMapping('gift')],
  ['POST', '/v1/freezes', { principal: { pool: '*', any: true }, role: '*' }],
  ['GET', '/v1/changes', undefined],
] as const;

async function refusals(admin: AdminHarness, token: string) {
  const found = [];
  for (const [method, path, body] of requests) {
    const headers = { 'if-none-match': '*', 'change-reason': 'for me' };
    const answer = await admin.send(method, path, { token, headers, body });
    found.push(`${answer.status} ${answer.body.code}`);
  }
  return [...new Set(found)];
}

async function read(admin: AdminHarness, token: string) {
  const { status, body, headers } = await admin.send('GET', '/v1/role-mappings', { token });
  const outcome = status === 200 ? '200' : `${status} ${body.code}`;
  return { outcome, detail: String(body.detail), challenge: headers.get('www-authenticate') };
}

/** A listener whose administrators are those and no others. */
function withAccess(access: Partial<AdminAccess>, run: (get: () => AdminHarness) => void) {
  let admin: AdminHarness;
  beforeAll(async () => {
    admin = await startAdmin({ access: { ...nobody, ...access } });
  });
  afterAll(() => admin.stop());
  run(() => admin);
}

describe('being an administrator is a property of a person or a machine', () => {
  withAccess({ groups: new Set([adminGroup]), users: new Set([adaSub]) }, (get) => {
    const token = (user: string, options: Partial<AccessTokenOptions> = {}) =>
      get().token({ user, scopes, ...options });

    it('T56: a user who signs in by the app client of administrators, with every scope, is a stranger', async () => {
      for (const user of ['cleo', 'dan']) {
        expect(await refusals(get(), token(user))).toEqual(['403 access_denied']);
      }
      expect(await get().table.head()).toBe(0);
    });

    it('T56: members of a named group and named users are let in', async () => {
      expect((await read(get(), token('grace'))).outcome).toBe('200');
      expect((await read(get(), token('ada'))).outcome).toBe('200');
    });

    it('T56: the app client itself is none unless machines are meant', async () => {
      expect(await refusals(get(), get().token())).toEqual(['403 access_denied']);
    });

    it('T56: a named person needs a listed app client, a token for access, and that pool', async () => {
      const others = [
        token('grace', { clientId: callerClient }),
        token('ada', { clientId: legacyClient }),
        get().issuer.issueIdToken({ clientId: adminClient, user: 'grace' }),
        get().issuer.issueIdToken({ clientId: adminClient, user: 'ada' }),
        // The same client id, the same group and the same sub, of a pool that is trusted for other things.
        get().otherPoolToken({ user: 'grace', scopes }),
        get().otherPoolToken({ user: 'ada', scopes }),
      ];
      for (const other of others) {
        expect(await refusals(get(), other)).toEqual(['403 access_denied']);
      }
      expect(await get().table.head()).toBe(0);
    });

    it('T56: nothing but the whole name of a group, in the list that Cognito signs, makes a member', async () => {
      const groups: readonly (readonly [unknown, string])[] = [
        [undefined, '403 access_denied'],
        [[], '403 access_denied'],
        [[adminGroup.toUpperCase()], '403 access_denied'],
        [[`${adminGroup} `], '403 access_denied'],
        [[`x-${adminGroup}`], '403 access_denied'],
        [[`${adminGroup},customers`], '403 access_denied'],
        [adminGroup, '401 token_claims_invalid'],
        [[[adminGroup]], '401 token_claims_invalid'],
        [{ 0: adminGroup, length: 1 }, '401 token_claims_invalid'],
        [[adminGroup, 1], '401 token_claims_invalid'],
        [null, '401 token_claims_invalid'],
      ];
      for (const [value, expected] of groups) {
        const claims = person(get(), { 'cognito:groups': value, groups: [adminGroup] });
        expect([value, await refusals(get(), get().sign(claims))]).toEqual([value, [expected]]);
      }
    });

    it('T56: a claim of another name that says the same makes nobody one', async () => {
      const claims = { 'custom:groups': [adminGroup], roles: [adminGroup], username: adaSub };
      const forged = get().sign(person(get(), { ...claims, 'cognito:groups': undefined }));
      expect(await refusals(get(), forged)).toEqual(['403 access_denied']);
    });

    it('T56: tells a stranger nothing of who the administrators are, whatever their token lacks', async () => {
      const strangers = [token('cleo'), token('cleo', { scopes: ['x/y'] }), get().token()];
      const details = new Set<string>();
      for (const stranger of strangers) details.add((await read(get(), stranger)).detail);
      expect(details.size).toBe(1);
      const [detail = ''] = details;
      for (const secret of [adminGroup, adaSub, adminClient, readScope]) {
        expect(detail).not.toContain(secret);
      }
    });
  });
});

describe('where machines are meant', () => {
  withAccess({ machines: true }, (get) => {
    it('T56: the listed app client is an administrator by its own token, and none of its users is', async () => {
      expect((await read(get(), get().token())).outcome).toBe('200');
      for (const user of ['ada', 'grace', 'cleo', 'dan']) {
        expect(await refusals(get(), get().token({ user, scopes }))).toEqual(['403 access_denied']);
      }
      expect(await refusals(get(), get().token({ clientId: callerClient }))).toEqual([
        '403 access_denied',
      ]);
    });

    it('T56: a token that claims to be a machine and a member of groups is neither', async () => {
      const machine = { sub: adminClient, username: undefined, auth_time: undefined };
      const sound = person(get(), { ...machine, 'cognito:groups': undefined });
      expect((await read(get(), get().sign(sound))).outcome).toBe('200');
      const mixed = person(get(), { ...machine, 'cognito:groups': [adminGroup] });
      expect(await refusals(get(), get().sign(mixed))).toEqual(['403 access_denied']);
    });
  });
});

describe('how old a token and a sign-in may be', () => {
  withAccess({ groups: new Set([adminGroup]), machines: true, maxSignInAgeSeconds: 900 }, (get) => {
    const grace = (secondsAgo: number) => {
      const signedInAt = get().clock.now() - secondsAgo * 1000;
      return get().token({ user: 'grace', scopes, signedInAt });
    };

    it('T57: a person whose sign-in is too old is refused, however new the refreshed token', async () => {
      expect((await read(get(), grace(900))).outcome).toBe('200');
      expect(await refusals(get(), grace(901))).toEqual(['401 sign_in_insufficient']);
      expect((await read(get(), grace(901))).challenge).toBe(
        'Bearer realm="token-broker", error="insufficient_user_authentication", error_description="The sign-in behind the token is too old or too weak", max_age="900"',
      );
    });

    it('T57: a sign-in that the token does not tell, tells wrongly, or sets in the future is none', async () => {
      const now = Math.floor(get().clock.now() / 1000);
      const times: readonly (readonly [unknown, string])[] = [
        [undefined, '401 sign_in_insufficient'],
        [String(now), '401 token_claims_invalid'],
        [now + 0.5, '401 token_claims_invalid'],
        [0, '401 token_claims_invalid'],
        [-now, '401 token_claims_invalid'],
        [null, '401 token_claims_invalid'],
        [[now], '401 token_claims_invalid'],
        [now * 1000, '401 token_not_yet_valid'],
        [now + 31, '401 token_not_yet_valid'],
        [now + 30, '403 scope_insufficient'],
      ];
      for (const [value, expected] of times) {
        const claims = person(get(), { auth_time: value, scope: 'x/y' });
        const found = await refusals(get(), get().sign(claims));
        expect([value, found]).toEqual([value, [expected]]);
      }
    });

    it('T57: a remembered token is judged anew each time: what was recent grows old', async () => {
      const token = grace(0);
      expect((await read(get(), token)).outcome).toBe('200');
      await get().clock.advance(901_000);
      expect(await refusals(get(), token)).toEqual(['401 sign_in_insufficient']);
    });

    it('T57: a machine signs in with nothing, so only the age of its token counts', async () => {
      const token = get().token({ expiresInSeconds: 86_400 });
      await get().clock.advance(3_600_000);
      expect((await read(get(), token)).outcome).toBe('200');
      await get().clock.advance(1000);
      expect(await refusals(get(), token)).toEqual(['401 token_expired']);
    });

    it('T57: a token that is valid for a day is an administrator for an hour', async () => {
      const now = get().clock.now();
      const issued = Math.floor(now / 1000) - 3601;
      const claims = { iat: issued, exp: issued + 86_400, auth_time: Math.floor(now / 1000) };
      expect(await refusals(get(), get().sign(person(get(), claims)))).toEqual([
        '401 token_expired',
      ]);
    });

    it('T57: tells a stranger nothing but that they are one, however old their sign-in', async () => {
      const signedInAt = get().clock.now() - 86_400_000;
      const stranger = get().token({ user: 'cleo', scopes, signedInAt });
      expect(await refusals(get(), stranger)).toEqual(['403 access_denied']);
    });
  });
});

describe('where the way of signing in counts', () => {
  withAccess(
    { groups: new Set([adminGroup]), machines: true, requiredAmr: ['mfa', 'hwk'] },
    (get) => {
      it('T57: all of the values must be in the list that "amr" is', async () => {
        const values: readonly (readonly [unknown, string])[] = [
          [['hwk', 'pwd', 'mfa'], '403 scope_insufficient'],
          [undefined, '401 sign_in_insufficient'],
          [[], '401 sign_in_insufficient'],
          [['mfa'], '401 sign_in_insufficient'],
          [['mfa hwk'], '401 sign_in_insufficient'],
          [['MFA', 'hwk'], '401 sign_in_insufficient'],
          ['mfa', '401 token_claims_invalid'],
          [[['mfa', 'hwk']], '401 token_claims_invalid'],
          [{ mfa: true, hwk: true }, '401 token_claims_invalid'],
        ];
        for (const [value, expected] of values) {
          const found = await refusals(
            get(),
            get().sign(person(get(), { amr: value, scope: 'x/y' })),
          );
          expect([value, found]).toEqual([value, [expected]]);
        }
      });

      it('T57: says what to do, and asks nothing of machines', async () => {
        const { detail, challenge } = await read(get(), get().token({ user: 'grace', scopes }));
        expect(detail).toContain('Sign in again with mfa, hwk');
        expect(challenge).toContain('error="insufficient_user_authentication"');
        expect(challenge).not.toContain('max_age');
        expect((await read(get(), get().token())).outcome).toBe('200');
        const strong = get().token({ user: 'grace', scopes, amr: ['mfa', 'hwk'] });
        expect((await read(get(), strong)).outcome).toBe('200');
      });
    },
  );
});

/** Grace's claims, but for these; an undefined one is left out. */
function person(admin: AdminHarness, changes: Readonly<Record<string, unknown>>) {
  const now = Math.floor(admin.clock.now() / 1000);
  return {
    sub: '7d8e2a5c-2222-4222-8333-944445555666',
    'cognito:groups': [adminGroup],
    iss: admin.issuer.url,
    client_id: adminClient,
    token_use: 'access',
    scope: scopes.join(' '),
    auth_time: now,
    iat: now,
    exp: now + 3600,
    username: 'grace',
    ...changes,
  };
}
