import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Caller } from '../../src/core/caller.ts';
import { BrokerError } from '../../src/core/errors.ts';
import {
  type IdentityPoolSettings,
  identityPool,
} from '../../src/identity/providers/identity-pool.ts';
import { type UserPoolSettings, userPool } from '../../src/identity/providers/user-pool.ts';
import { CognitoTokenValidator } from '../../src/identity/token-validator.ts';
import { trustedIssuers } from '../../src/identity/trusted-issuers.ts';
import { runs } from '../support/fuzz-budget.ts';
import {
  startValidation,
  testIssuer,
  testPool,
  type Validation,
  type ValidationOptions,
  verdict,
} from '../support/token-validation.ts';
import {
  accessClaims,
  createTestKey,
  idClaims,
  machineClaims,
  mintToken,
  openIdClaims,
  renamedKey,
  signRaw,
  testClient,
} from '../support/tokens.ts';

const key = createTestKey('key-1');
const otherKey = createTestKey('key-2');
const openIdKey = renamedKey(key, 'us-east-11', 'RS512');

const running: Validation[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((validation) => validation.stop()));
});

async function start(options: Partial<ValidationOptions> = {}): Promise<Validation> {
  const validation = await startValidation({ publish: [key, otherKey], ...options });
  running.push(validation);
  return validation;
}

type Changes = Readonly<Record<string, unknown>>;

function accessToken({ clock }: Validation, changes?: Changes): string {
  return mintToken(key, { claims: accessClaims(testIssuer, clock.now(), changes) });
}

function idToken({ clock }: Validation, changes?: Changes): string {
  return mintToken(key, { claims: idClaims(testIssuer, clock.now(), changes) });
}

async function callerOf({ validator }: Validation, token: string): Promise<Caller> {
  return validator.validate(token);
}

describe('the caller that a user-pool token proves', () => {
  it('is complete for the access token of a user', async () => {
    const validation = await start();
    const token = accessToken(validation);
    const now = validation.clock.now();
    const caller = await callerOf(validation, token);
    expect({ ...caller, claims: new Map(caller.claims) }).toEqual({
      issuer: testIssuer,
      pool: testPool,
      subject: '7d8e2a5c-1111-4222-8333-944445555666',
      clientId: testClient,
      tokenUse: 'access',
      machine: false,
      groups: ['billing'],
      scopes: new Set(['orders/read', 'orders/write']),
      audience: undefined,
      claims: new Map([
        ['sub', '7d8e2a5c-1111-4222-8333-944445555666'],
        ['client_id', testClient],
      ]),
      sessionClaims: expect.stringMatching(/^[0-9a-f]{64}$/),
      tokenId: 'b1b2b3b4-0000-4000-8000-000000000003',
      originTokenId: 'b1b2b3b4-0000-4000-8000-000000000001',
      tokenSha256: createHash('sha256').update(token).digest('hex'),
      issuedAt: now,
      signedInAt: now,
      amr: [],
      expiresAt: now + 3_600_000,
    });
  });

  it('is the app client for a token of the client-credentials grant', async () => {
    const validation = await start();
    const claims = machineClaims(testIssuer, validation.clock.now(), { aud: testClient });
    const caller = await callerOf(validation, mintToken(key, { claims }));
    expect(caller).toMatchObject({
      machine: true,
      subject: testClient,
      clientId: testClient,
      groups: [],
      audience: testClient,
    });
    expect(caller.scopes).toEqual(new Set(['orders/write']));
  });

  it.each([
    ['has a username', { username: 'ada' }],
    ['has a sub of its own', { sub: 'someone' }],
  ])('is not a machine when the token %s', async (_name, changes) => {
    const validation = await start();
    const claims = machineClaims(testIssuer, validation.clock.now(), changes);
    expect(await callerOf(validation, mintToken(key, { claims }))).toMatchObject({
      machine: false,
    });
  });

  it('has the audience of an ID token as its app client', async () => {
    const validation = await start();
    const caller = await callerOf(validation, idToken(validation, { sub: testClient }));
    expect({ ...caller, claims: new Map(caller.claims) }).toMatchObject({
      tokenUse: 'id',
      clientId: testClient,
      audience: testClient,
      machine: false,
      claims: new Map([
        ['sub', testClient],
        ['client_id', testClient],
      ]),
    });
  });

  it.each([
    ['azp before aud', { azp: 'authorized', aud: 'audience' }, 'authorized'],
    ['aud without azp', { aud: 'audience' }, 'audience'],
    ['nothing from a list', { aud: ['audience'] }, undefined],
    ['nothing without either', {}, undefined],
  ])('has as audience %s, as STS does', async (_name, changes, audience) => {
    const validation = await start();
    expect((await callerOf(validation, accessToken(validation, changes))).audience).toBe(audience);
  });

  it('T60: has every claim that configuration lets mappings match, and marks what cannot be compared', async () => {
    const matchableClaims = new Set([
      'custom:team',
      'custom:tags',
      'custom:level',
      'custom:mixed',
      'custom:odd',
      'custom:null',
      'missing',
      'toString',
    ]);
    const validation = await start({ validator: { matchableClaims } });
    const changes = {
      'custom:team': 'orders',
      'custom:tags': ['a', 'b'],
      'custom:level': 3,
      'custom:mixed': ['a', true],
      'custom:odd': ['a', { b: 1 }],
      'custom:null': null,
      'custom:other': 'not listed',
    };
    const { claims } = await callerOf(validation, idToken(validation, changes));
    expect(new Map(claims)).toEqual(
      new Map<string, unknown>([
        ['sub', '7d8e2a5c-1111-4222-8333-944445555666'],
        ['client_id', testClient],
        ['custom:team', 'orders'],
        ['custom:tags', ['a', 'b']],
        ['custom:level', 3],
        ['custom:mixed', ['a', true]],
        ['custom:odd', { incomparable: ['a', { b: 1 }] }],
        ['custom:null', { incomparable: null }],
      ]),
    );
  });

  it.each([
    [true, 'ada@example.com'],
    ['true', 'ada@example.com'],
    [false, { incomparable: 'ada@example.com' }],
    ['false', { incomparable: 'ada@example.com' }],
    [1, { incomparable: 'ada@example.com' }],
    [undefined, { incomparable: 'ada@example.com' }],
  ])('T17, T60: with email_verified %j has the email %j', async (email_verified, email) => {
    const validation = await start({ validator: { matchableClaims: new Set(['email']) } });
    const caller = await callerOf(validation, idToken(validation, { email_verified }));
    expect(caller.claims.get('email')).toEqual(email);
  });

  it.each([
    [true, '+15550100'],
    ['true', '+15550100'],
    [false, { incomparable: '+15550100' }],
    [undefined, { incomparable: '+15550100' }],
  ])('T106: with phone_number_verified %j has the number %j', async (verified, number) => {
    const validation = await start({
      validator: { matchableClaims: new Set(['phone_number', 'phone_number_verified']) },
    });
    const changes = { phone_number: '+15550100', phone_number_verified: verified };
    const caller = await callerOf(validation, idToken(validation, changes));
    expect(caller.claims.get('phone_number')).toEqual(number);
  });

  it('T17: has no user name and no attribute that was not listed', async () => {
    const validation = await start();
    const caller = await callerOf(validation, idToken(validation, { 'custom:admin': 'true' }));
    expect([...caller.claims].map(([name]) => name)).toEqual(['sub', 'client_id']);
  });

  it('T17: does not take client_id from a claim that a trigger can add to an ID token', async () => {
    const validation = await start({
      validator: { matchableClaims: new Set(['client_id', 'sub']) },
    });
    const caller = await callerOf(validation, idToken(validation, { client_id: 'privileged' }));
    expect(caller.clientId).toBe(testClient);
    expect(caller.claims.get('client_id')).toBe(testClient);
  });

  it('has the claims that shape an AWS session as one digest, whatever their order (T23)', async () => {
    const validation = await start();
    const tags = { principal_tags: { Team: ['x'], Cost: ['y'] }, transitive_tag_keys: ['Team'] };
    const reordered = {
      transitive_tag_keys: ['Team'],
      principal_tags: { Cost: ['y'], Team: ['x'] },
    };
    const source = { 'https://aws.amazon.com/source_identity': 'ada' };
    const one = { 'https://aws.amazon.com/tags': tags, ...source };
    const same = { ...source, 'https://aws.amazon.com/tags': reordered };
    const text = async (changes: Changes) =>
      (await callerOf(validation, accessToken(validation, changes))).sessionClaims;
    expect(await text(one)).toBe(await text(same));
    expect(await text({ ...one, 'https://aws.amazon.com/source_identity': 'eve' })).not.toBe(
      await text(one),
    );
  });

  it.each([0, 1, -1, 0.1, 1e21, 2 ** 53])(
    'T87: refuses the number %d in a claim that shapes an AWS session, however deep',
    async (number) => {
      const validation = await start();
      for (const claims of [
        { 'https://aws.amazon.com/tags/principal_tags/Team': number },
        { 'https://aws.amazon.com/source_identity': number },
        { 'https://aws.amazon.com/tags': { principal_tags: { Team: [number] } } },
      ]) {
        const token = accessToken(validation, claims);
        expect(await verdict(validation.validator, token)).toBe('token_claims_invalid');
      }
    },
  );
});

const rolesClaim = 'https://aws.amazon.com/roles';
const [oneRole, otherRole] = ['one', 'other'].map(
  (name) => `arn:aws:iam::123456789012:role/${name}`,
);

describe('the roles that a token is bound to', () => {
  it.each([
    [undefined, undefined],
    [null, undefined],
    [oneRole, [oneRole]],
    [`${oneRole};${otherRole}`, [oneRole, otherRole]],
    [
      [oneRole, true, otherRole],
      [oneRole, otherRole],
    ],
    ['', ['']],
    [[], []],
    [true, []],
    [{ role: oneRole }, []],
  ])('T68: by the claim %j are %j', async (claim, roles) => {
    const validation = await start();
    const caller = await callerOf(validation, accessToken(validation, { [rolesClaim]: claim }));
    expect(caller.boundRoles).toEqual(roles);
  });
});

describe('the key of a token', () => {
  it('T68: is lacking once its issuer has withdrawn it, and not before', async () => {
    const validation = await start();
    const token = accessToken(validation);
    await callerOf(validation, token);
    expect(validation.validator.lacksKeyOf(token)).toBe(false);
    await validation.clock.advance(30_000);
    validation.server.publish(renamedKey(key, 'the-next'));
    const fetched = validation.nextFetch();
    await validation.validator.validate(
      mintToken(renamedKey(key, 'the-next'), {
        claims: accessClaims(testIssuer, validation.clock.now()),
      }),
    );
    await fetched;
    expect(validation.validator.lacksKeyOf(token)).toBe(true);
  });
});

describe('tokens that are not for this service', () => {
  it.each([
    ['another pool', 'https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Other'],
    ['a trailing slash', `${testIssuer}/`],
    ['another case', testIssuer.toUpperCase()],
    ['plain http', testIssuer.replace('https', 'http')],
    ['a fragment', `${testIssuer}#`],
    ['the other issuer format', testIssuer.replace('cognito-idp', 'issuer-cognito-idp')],
    ['a space', `${testIssuer} `],
    ['a property of objects', 'constructor'],
    ['a list', [testIssuer]],
    ['an object', { toString: testIssuer }],
    ['null', null],
  ])('T11: refuses an issuer with %s, without fetching anything', async (_name, iss) => {
    const validation = await start();
    expect(await verdict(validation.validator, accessToken(validation, { iss }))).toBe(
      'token_issuer_unknown',
    );
    expect(validation.server.requests).toBe(0);
  });

  it.each([
    ['another app client', { client_id: 'another' }],
    ['an app client in another case', { client_id: testClient.toUpperCase() }],
    ['no app client', { client_id: undefined }],
    ['only an audience', { client_id: undefined, aud: testClient }],
  ])('T11: refuses an access token of %s', async (_name, changes) => {
    const validation = await start();
    expect(await verdict(validation.validator, accessToken(validation, changes))).toBe(
      'token_client_refused',
    );
  });

  it.each([
    ['another app client', { aud: 'another' }],
    ['a list of audiences', { aud: [testClient] }],
    ['no audience', { aud: undefined }],
    ['an app client beside the audience', { aud: 'another', client_id: testClient }],
  ])('T11: refuses an ID token of %s', async (_name, changes) => {
    const validation = await start();
    expect(await verdict(validation.validator, idToken(validation, changes))).toBe(
      'token_client_refused',
    );
  });

  it('T11: refuses the kind of token that a pool is not trusted for', async () => {
    const access = await start({ pool: { tokenUse: ['access'] } });
    expect(await verdict(access.validator, accessToken(access))).toBe('accepted');
    expect(await verdict(access.validator, idToken(access))).toBe('token_use_refused');
    const id = await start({ pool: { tokenUse: ['id'] } });
    expect(await verdict(id.validator, idToken(id))).toBe('accepted');
    expect(await verdict(id.validator, accessToken(id))).toBe('token_use_refused');
  });

  it.each(['refresh', 'openid', 'Access', 'access '])(
    'T11: refuses the token use %j',
    async (token_use) => {
      const validation = await start();
      expect(await verdict(validation.validator, accessToken(validation, { token_use }))).toBe(
        'token_use_refused',
      );
    },
  );

  it('T11: refuses a token of one pool that is signed with the key of another', async () => {
    const elsewhere = await start({ publish: [otherKey] });
    const issuer = 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other';
    const { jwksUri } = elsewhere.server;
    const pool = { pool: 'eu-west-1_Other', issuer, jwksUri, clients: [testClient] };
    const validation = await start({
      publish: [key],
      otherPools: [{ ...pool, tokenUse: ['access'] }],
    });
    const { validator, clock } = validation;
    const mint = (signer: typeof key, iss: string) =>
      mintToken(signer, { claims: accessClaims(iss, clock.now()) });
    expect(await verdict(validator, mint(key, testIssuer))).toBe('accepted');
    expect(await verdict(validator, mint(otherKey, issuer))).toBe('accepted');
    expect(await verdict(validator, mint(otherKey, testIssuer))).toBe('token_key_unknown');
    expect(await verdict(validator, mint(key, issuer))).toBe('token_key_unknown');
    expect(await verdict(validator, mint(renamedKey(key, 'key-2'), issuer))).toBe(
      'token_signature_invalid',
    );
  });

  it('accepts both issuer formats of one pool where both are listed', async () => {
    const server = (await start()).server;
    const issuer = `https://issuer-cognito-idp.us-east-1.amazonaws.com/${testPool}`;
    const { jwksUri } = server;
    const updated = { pool: testPool, issuer, jwksUri, clients: [testClient] };
    const validation = await start({ otherPools: [{ ...updated, tokenUse: ['access'] }] });
    for (const iss of [testIssuer, issuer]) {
      expect(await callerOf(validation, accessToken(validation, { iss }))).toMatchObject({
        issuer: iss,
        pool: testPool,
      });
    }
  });

  it.each([
    ['a sub of 256 characters', { sub: 'x'.repeat(256) }],
    ['an empty sub', { sub: '' }],
    ['a sub that is no string', { sub: 7 }],
    ['a sub with a line feed', { sub: 'a\nb' }],
    ['a sub outside ASCII', { sub: 'adä' }],
    ['a jti that is no string', { jti: 7 }],
    ['a scope that is no string', { scope: ['orders/write'] }],
    ['a username that is no string', { username: 7 }],
    ['a client_id that is no string', { client_id: [testClient] }],
    ['an azp that is no string', { azp: [testClient] }],
    ['an empty azp', { azp: '' }],
    ['an empty aud', { aud: '' }],
    ['an aud that is an object', { aud: {} }],
    ['an aud with a number', { aud: [testClient, 7] }],
    ['a token_use that is no string', { token_use: ['access'] }],
    ['groups that are no list', { 'cognito:groups': 'billing' }],
    ['groups with a number', { 'cognito:groups': ['billing', 7] }],
    ['an empty group name', { 'cognito:groups': [''] }],
    ['a group name with a line feed', { 'cognito:groups': ['a\nb'] }],
    ['a group name in another normal form', { 'cognito:groups': ['caf\u0065\u0301'] }],
    ['groups that are null', { 'cognito:groups': null }],
    ['an amr that is no list', { amr: 'mfa' }],
    ['an amr with a number', { amr: ['mfa', 1] }],
    ['an amr that is null', { amr: null }],
  ])('refuses %s', async (_name, changes) => {
    const validation = await start();
    expect(await verdict(validation.validator, accessToken(validation, changes))).toBe(
      'token_claims_invalid',
    );
  });

  it('refuses a matchable claim in another normal form, which could slip past a deny (T25)', async () => {
    const validation = await start({ validator: { matchableClaims: new Set(['custom:team']) } });
    for (const team of ['caf\u0065\u0301', ['orders', 'caf\u0065\u0301']]) {
      const token = idToken(validation, { 'custom:team': team });
      expect(await verdict(validation.validator, token)).toBe('token_claims_invalid');
    }
  });

  it('says what to do without repeating anything from the token', async () => {
    const validation = await start();
    const canary = 'canary-7f3a';
    const tokens = [
      accessToken(validation, { iss: canary }),
      accessToken(validation, { client_id: canary }),
      accessToken(validation, { token_use: canary }),
      accessToken(validation, { 'cognito:groups': [canary, 7] }),
      accessToken(validation, { sub: `${canary}\n` }),
      accessToken(validation, { exp: canary }),
      mintToken(key, { header: { alg: canary }, claims: {} }),
      mintToken(key, { header: { kid: canary }, claims: accessClaims(testIssuer, 0) }),
      mintToken(renamedKey(key, canary), {
        claims: accessClaims(testIssuer, validation.clock.now()),
      }),
      mintToken(key, { header: { typ: canary }, claims: {} }),
      signRaw(key, '{"alg":"RS256","kid":"key-1"}', `{"${canary}":1,"${canary}":2}`),
      signRaw(key, '{"alg":"RS256","kid":"key-1"}', `{"${canary}"`),
    ];
    for (const token of tokens) {
      const error = await callerOf(validation, token).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(BrokerError);
      const { detail = '', message, status } = error as BrokerError;
      expect(status).toBe(401);
      expect(detail).not.toBe('');
      expect(`${detail}${message}`).not.toContain(canary);
    }
  });
});

describe('tokens of identity pools', () => {
  const issuer = 'https://cognito-identity.amazonaws.com';
  const pool = 'us-east-1:11111111-2222-4333-8444-555555555555';
  const openPool = 'us-east-1:99999999-2222-4333-8444-555555555555';
  const header = { typ: 'JWS' };

  async function startIdentityPools(
    validator: ValidationOptions['validator'] = {},
  ): Promise<Validation> {
    return await start({
      validator,
      publish: [key, openIdKey],
      identityPools: [
        { pool, issuer, allowUnauthenticated: false },
        { pool: openPool, issuer, allowUnauthenticated: true },
      ],
    });
  }

  function openIdToken({ clock }: Validation, audience: string, changes?: Changes): string {
    const claims = openIdClaims(issuer, audience, clock.now(), changes);
    return mintToken(openIdKey, { header, claims });
  }

  it('prove an identity of the pool that their audience names', async () => {
    const validation = await startIdentityPools();
    const caller = await callerOf(validation, openIdToken(validation, pool));
    expect(caller).toMatchObject({
      issuer,
      pool,
      subject: 'us-east-1:0a1b2c3d-1111-4222-8333-944445555666',
      clientId: undefined,
      tokenUse: 'openid',
      machine: false,
      groups: ['authenticated', 'graph.facebook.com', 'graph.facebook.com:17:42'],
      audience: pool,
    });
    expect(new Map(caller.claims)).toEqual(
      new Map([['sub', 'us-east-1:0a1b2c3d-1111-4222-8333-944445555666']]),
    );
    expect(await callerOf(validation, openIdToken(validation, openPool))).toMatchObject({
      pool: openPool,
    });
  });

  it('T17: have no app client, whatever they claim', async () => {
    const validation = await startIdentityPools({ matchableClaims: new Set(['client_id']) });
    const token = openIdToken(validation, pool, { client_id: testClient });
    const caller = await callerOf(validation, token);
    expect(caller.clientId).toBeUndefined();
    expect(caller.claims.get('client_id')).toBeUndefined();
  });

  it.each([
    ['the pool of another customer', { aud: 'us-east-1:00000000-2222-4333-8444-555555555555' }],
    ['no pool', { aud: undefined }],
    ['a list of pools', { aud: [pool] }],
    ['an app client', { aud: testClient }],
  ])('T11: are refused for %s', async (_name, changes) => {
    const validation = await startIdentityPools();
    expect(await verdict(validation.validator, openIdToken(validation, pool, changes))).toBe(
      'token_issuer_unknown',
    );
  });

  it('T11: of unauthenticated identities are accepted only where that is allowed', async () => {
    const validation = await startIdentityPools();
    const { validator } = validation;
    const guest = { amr: ['unauthenticated'] };
    expect(await verdict(validator, openIdToken(validation, pool, guest))).toBe(
      'token_use_refused',
    );
    expect(await callerOf(validation, openIdToken(validation, openPool, guest))).toMatchObject({
      groups: ['unauthenticated'],
    });
  });

  it.each([
    ['is missing', { amr: undefined }],
    ['is empty', { amr: [] }],
    ['is a string', { amr: 'authenticated' }],
    ['says both', { amr: ['authenticated', 'unauthenticated'] }],
    ['says neither', { amr: ['graph.facebook.com'] }],
    ['says it in another case', { amr: ['Authenticated'] }],
  ])('T11: are refused in any pool if amr %s', async (_name, changes) => {
    const validation = await startIdentityPools();
    for (const audience of [pool, openPool]) {
      const token = openIdToken(validation, audience, changes);
      expect(await verdict(validation.validator, token)).toBe('token_claims_invalid');
    }
  });

  it('T1: are refused with the algorithm of user pools, and the other way round', async () => {
    const validation = await startIdentityPools();
    const { validator, clock } = validation;
    const openId = openIdClaims(issuer, pool, clock.now());
    const access = accessClaims(testIssuer, clock.now());
    expect(await verdict(validator, mintToken(key, { claims: openId }))).toBe('token_malformed');
    expect(await verdict(validator, mintToken(openIdKey, { claims: access }))).toBe(
      'token_malformed',
    );
  });

  it('T14: a key that is published for the other algorithm does not verify them', async () => {
    const validation = await start({
      publish: [key, openIdKey],
      identityPools: [{ pool, issuer, allowUnauthenticated: false }],
    });
    const claims = openIdClaims(issuer, pool, validation.clock.now());
    const token = mintToken(renamedKey(key, 'key-1', 'RS512'), { claims });
    expect(await verdict(validation.validator, token)).toBe('token_key_unknown');
  });
});

describe('remembered tokens', () => {
  it('are answered at once, with the same caller', async () => {
    const validation = await start();
    const token = accessToken(validation);
    const answer = validation.validator.validate(token);
    expect(answer).toBeInstanceOf(Promise);
    const caller = await answer;
    expect(validation.validator.validate(token)).toBe(caller);
  });

  it('are recalled without verifying anything, as long as they would be accepted', async () => {
    const validation = await start();
    const { validator, clock } = validation;
    const token = accessToken(validation);
    expect([token, `${token}x`, 'x'.repeat(100_000)].map((it) => validator.recall(it))).toEqual(
      Array(3).fill(undefined),
    );
    const caller = await validator.validate(token);
    expect(validator.recall(token)).toBe(caller);
    await clock.advance(3_600_000 + 30_000);
    expect(validator.recall(token)).toBe(undefined);
  });

  it('T10: expire on time', async () => {
    const validation = await start();
    const token = accessToken(validation);
    await callerOf(validation, token);
    await validation.clock.advance(3_600_000 + 29_999);
    expect(await verdict(validation.validator, token)).toBe('accepted');
    await validation.clock.advance(1);
    expect(await verdict(validation.validator, token)).toBe('token_expired');
  });

  it('T10: are refused again when the clock is set back to before they were issued', async () => {
    const validation = await start();
    const { clock } = validation;
    let offsetMs = 0;
    const stepping = { ...clock, now: () => clock.now() + offsetMs };
    const other = await start({ clock: stepping });
    const token = accessToken(validation);
    expect(await verdict(other.validator, token)).toBe('accepted');
    offsetMs = -3_600_000;
    expect(await verdict(other.validator, token)).toBe('token_not_yet_valid');
  });

  it('T8: are known by their exact spelling', async () => {
    const validation = await start();
    const token = accessToken(validation);
    await callerOf(validation, token);
    expect(await verdict(validation.validator, `${token}=`)).toBe('token_malformed');
    expect(await verdict(validation.validator, ` ${token}`)).toBe('token_malformed');
  });

  it('are bounded: the oldest is verified again', async () => {
    const validation = await start({ validator: { maxVerifiedTokens: 2 } });
    const tokens = ['a', 'b', 'c'].map((jti) => accessToken(validation, { jti }));
    const callers: Caller[] = [];
    for (const token of tokens) callers.push(await callerOf(validation, token));
    const again = await Promise.all(
      [...tokens].reverse().map((token) => callerOf(validation, token)),
    );
    expect(again.reverse()).toEqual(callers);
    expect(again[2]).toBe(callers[2]);
    expect(again[1]).toBe(callers[1]);
    expect(again[0]).not.toBe(callers[0]);
  });

  it('are not made by tokens that were refused', async () => {
    const validation = await start();
    const [head = '', payload = ''] = accessToken(validation).split('.');
    const [, , signature = ''] = accessToken(validation, { jti: 'another' }).split('.');
    const forged = `${head}.${payload}.${signature}`;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(await verdict(validation.validator, forged)).toBe('token_signature_invalid');
    }
  });
});

describe('any string at all', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const character = fc.constantFrom(...alphabet, '.', '=', '+', '/', ' ', '\n', '\0', 'é');

  it('is refused with 401 or is the token itself: no mutation of a token passes', async () => {
    const validation = await start();
    const token = accessToken(validation);
    const caller = await callerOf(validation, token);
    const mutation = fc.tuple(fc.nat(token.length), fc.nat(2), fc.string({ unit: character }));
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 3 }), async (mutations) => {
        let mutated = token;
        for (const [at, removed, inserted] of mutations) {
          mutated = mutated.slice(0, at) + inserted + mutated.slice(at + removed);
        }
        const result = await callerOf(validation, mutated).catch((error: unknown) => error);
        if (mutated === token) expect(result).toBe(caller);
        else expect(result).toMatchObject({ name: 'BrokerError', status: 401 });
      }),
      runs(2_000),
    );
  });

  it('is refused with 401 when every single character is changed in turn', async () => {
    const validation = await start();
    const token = accessToken(validation);
    await callerOf(validation, token);
    for (let at = 0; at < token.length; at += 1) {
      const replacement = token[at] === 'A' ? 'B' : 'A';
      const mutated = token.slice(0, at) + replacement + token.slice(at + 1);
      await expect(callerOf(validation, mutated)).rejects.toMatchObject({ status: 401 });
    }
  });

  it('is refused with 401 when it is random', async () => {
    const validation = await start();
    const segment = fc.oneof(
      fc.string({ unit: character }),
      fc.json().map((text) => Buffer.from(text).toString('base64url')),
      fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64url')),
    );
    const strings = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('.')),
    );
    await fc.assert(
      fc.asyncProperty(strings, async (text) => {
        await expect(callerOf(validation, text)).rejects.toMatchObject({
          name: 'BrokerError',
          status: 401,
        });
      }),
      runs(1_000),
    );
    expect(validation.server.requests).toBe(0);
  });

  it('is refused with 401 when it is a signed token with any claims at all', async () => {
    const validation = await start();
    const names = fc.constantFrom(
      ...['iss', 'sub', 'aud', 'azp', 'exp', 'iat', 'nbf', 'jti', 'scope', 'username'],
      ...['client_id', 'token_use', 'cognito:groups', 'https://aws.amazon.com/tags'],
    );
    await fc.assert(
      fc.asyncProperty(fc.dictionary(names, fc.jsonValue(), { minKeys: 1 }), async (changes) => {
        const token = accessToken(validation, changes);
        const result = await callerOf(validation, token).catch((error: unknown) => error);
        if (result instanceof Error) {
          expect(result).toMatchObject({ name: 'BrokerError', status: 401 });
        } else {
          expect(result).toMatchObject({ issuer: testIssuer, clientId: testClient });
        }
      }),
      runs(500),
    );
  });
});

describe('options', () => {
  const jwksUri = 'https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEf123/jwks.json';
  const access: UserPoolSettings = {
    pool: testPool,
    issuer: testIssuer,
    jwksUri,
    clients: [testClient],
    tokenUse: ['access'],
  };
  const users = (settings: Partial<UserPoolSettings> = {}) =>
    userPool.trust({ ...access, ...settings });
  const identities = (settings: Partial<IdentityPoolSettings> = {}) =>
    identityPool.trust({
      pool: 'us-east-1:1',
      issuer: 'https://x.example',
      jwksUri,
      allowUnauthenticated: false,
      ...settings,
    });
  const otherIssuer = `${testIssuer}/other`;

  it.each([
    ['a pool without app clients', () => [users({ clients: [] })]],
    ['a pool without token uses', () => [users({ tokenUse: [] })]],
    ['one issuer twice', () => [users(), users({ pool: 'us-east-1_Two' })]],
    ['one issuer for both kinds of pool', () => [users(), identities({ issuer: testIssuer })]],
    ['one identity pool twice', () => [identities(), identities()]],
    [
      'identity pools that disagree on the JWKS URI',
      () => [identities(), identities({ pool: 'us-east-1:2', jwksUri: 'https://other.example' })],
    ],
  ])('T11: are refused with %s', (_name, issuers) => {
    expect(() => trustedIssuers(issuers())).toThrow(TypeError);
  });

  it.each([
    [
      'two user pools',
      () => [
        users({ name: 'staff' }),
        users({ name: 'staff', pool: 'us-east-1_Two', issuer: otherIssuer }),
      ],
    ],
    ['pools of two kinds', () => [users({ name: 'staff' }), identities({ name: 'staff' })]],
    [
      'a pool and another by its id',
      () => [users(), users({ name: testPool, pool: 'us-east-1_Two', issuer: otherIssuer })],
    ],
  ])('T128: one name for %s is refused', (_name, issuers) => {
    expect(() => trustedIssuers(issuers())).toThrow('has the name of another one');
  });

  it('T128: one pool has one name, under both of its issuers', () => {
    const twice = (name: string) => [
      users({ name: 'staff' }),
      users({ name, issuer: otherIssuer }),
    ];
    expect(() => trustedIssuers(twice('people'))).toThrow('has another name elsewhere');
    expect([...trustedIssuers(twice('staff')).keys()]).toEqual([testIssuer, otherIssuer]);
  });

  it.each([
    { clockToleranceSeconds: 61 },
    { clockToleranceSeconds: -1 },
    { clockToleranceSeconds: Number.NaN },
    { maxTokenAgeSeconds: 86_401 },
    { maxTokenBytes: 16_385 },
  ])('T10: are refused with %j', async (limit) => {
    const { source, clock } = await start();
    const issuers = [users()];
    const matchableClaims = new Set<string>();
    expect(
      () => new CognitoTokenValidator({ issuers, keys: source, clock, matchableClaims, ...limit }),
    ).toThrow(RangeError);
  });

  it('T9, T13: may be stricter than the defaults', async () => {
    const limits = { maxTokenAgeSeconds: 3_599, maxTokenBytes: 2_000 };
    const validation = await start({ validator: limits });
    const { validator } = validation;
    const nowSeconds = validation.clock.now() / 1000;
    const filler = 'x'.repeat(1_500);
    expect(await verdict(validator, accessToken(validation))).toBe('token_claims_invalid');
    const shorter = accessToken(validation, { exp: nowSeconds + 3_599 });
    expect(await verdict(validator, shorter)).toBe('accepted');
    const larger = accessToken(validation, { exp: nowSeconds + 3_599, filler });
    expect(await verdict(validator, larger)).toBe('token_too_large');
  });
});
