import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  accountId,
  clientId,
  failureOf,
  roleArn,
  type StsHarness,
  startStsHarness,
} from '../support/sts-harness.ts';

let sts: StsHarness;
beforeAll(async () => {
  sts = await startStsHarness();
});
afterAll(() => sts.stop());

const keyNotRetrieved =
  "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements";
const notValidated =
  'The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements.';
const notAJwt =
  'The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)';

function invalidToken(message: string) {
  return {
    name: 'InvalidIdentityTokenException',
    code: 'InvalidIdentityToken',
    status: 400,
    message,
  };
}
function validationError(message: string) {
  return { name: 'ValidationError', code: 'ValidationError', status: 400, message };
}
const accessDenied = {
  name: 'AccessDenied',
  code: 'AccessDenied',
  status: 403,
  message: 'Not authorized to perform sts:AssumeRoleWithWebIdentity',
};

describe('a trusted token', () => {
  it('is exchanged for a session of the role, without its path, that lasts as long as asked', async () => {
    const answer = await sts.exchange({ DurationSeconds: 900 });

    expect(answer.AssumedRoleUser?.Arn).toBe(
      `arn:aws:sts::${accountId}:assumed-role/orders-writer/orders-service`,
    );
    expect(answer.AssumedRoleUser?.AssumedRoleId).toMatch(/^AROA[A-Z2-7]{17}:orders-service$/);
    expect(answer.Credentials?.AccessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/);
    expect(answer.Credentials?.SecretAccessKey).toHaveLength(40);
    expect(answer.Credentials?.SessionToken?.length).toBeGreaterThan(100);
    expect(answer.Credentials?.Expiration?.getTime()).toBe(sts.clock.now() + 900_000);
    expect(answer.SubjectFromWebIdentityToken).toBe('0f4c5a6e-subject');
    expect(answer.Audience).toBe(clientId);
    expect(answer.Provider).toBe(sts.providerArn);
    expect(answer.PackedPolicySize).toBe(25);
    expect(answer.SourceIdentity).toBeUndefined();
    expect(answer.$metadata.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('gets an hour if it does not say', async () => {
    const { Credentials } = await sts.exchange();
    expect(Credentials?.Expiration?.getTime()).toBe(sts.clock.now() + 3_600_000);
  });

  it('is answered in XML that no cache keeps, with an expiration in whole seconds and Z', async () => {
    const response = await post({ RoleSessionName: 'a<&>b' });
    const refused = await response.text();
    expect(response.headers.get('content-type')).toBe('text/xml');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(refused).toContain('a&lt;&amp;&gt;b');

    const granted = await (await post({})).text();
    expect(granted).toMatch(
      /^<AssumeRoleWithWebIdentityResponse xmlns="https:\/\/sts.amazonaws.com\/doc\/2011-06-15\/">/,
    );
    expect(granted).toMatch(/<Expiration>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ<\/Expiration>/);
  });

  it('may ask for a longer session token, as consumers must not assume its size', async () => {
    const { Credentials } = await sts.exchange({ MinimumSessionTokenSize: 4096 });
    expect(Credentials?.SessionToken?.length).toBeGreaterThanOrEqual(4096);
  });

  it('is logged without the token and without the keys', async () => {
    const token = sts.token();
    const { Credentials } = await sts.exchange({ WebIdentityToken: token, DurationSeconds: 901 });
    expect(sts.sts.requests.at(-1)).toEqual({
      action: 'AssumeRoleWithWebIdentity',
      roleArn,
      roleSessionName: 'orders-service',
      durationSeconds: 901,
      subject: '0f4c5a6e-subject',
      code: 'ok',
    });
    const log = JSON.stringify(sts.sts.requests);
    for (const secret of [token, Credentials?.SecretAccessKey, Credentials?.SessionToken]) {
      expect(log).not.toContain(secret);
    }
  });

  it.each(['RS256', 'RS384', 'RS512'] as const)('may be signed with %s', async (alg) => {
    const answer = await sts.exchange({ WebIdentityToken: sts.token({}, { alg }) });
    expect(answer.Credentials).toBeDefined();
  });

  it.each([
    ['ES256', 'P-256'],
    ['ES384', 'P-384'],
    ['ES512', 'P-521'],
  ] as const)('may be signed with %s', async (alg, curve) => {
    const key = sts.issuer.publish(alg, curve);
    const answer = await sts.exchange({ WebIdentityToken: sts.token({}, { alg, kid: alg, key }) });
    expect(answer.Credentials).toBeDefined();
  });
});

describe('the audience', () => {
  it('is azp where the token has one, whatever aud says', async () => {
    const WebIdentityToken = sts.token({ azp: clientId, aud: 'somebody-else' });
    const answer = await sts.exchange({ WebIdentityToken });
    expect(answer.Audience).toBe(clientId);
  });

  it.each<[string, object, string]>([
    ['azp is not a client id though aud is', { azp: 'x', aud: clientId }, notValidated],
    ['azp is empty though aud is a client id', { azp: '', aud: clientId }, notValidated],
    ['aud is not a client id', { aud: 'x' }, notValidated],
    [
      'there are several',
      { aud: [clientId, 'x'] },
      'Token audience contains more than one audience while authorized party is not present',
    ],
    [
      'there is none, as in a Cognito access token',
      { aud: undefined },
      'Missing a required claim: aud',
    ],
    ['there is azp and no aud', { aud: undefined, azp: clientId }, 'Missing a required claim: aud'],
    ['it is empty', { aud: '' }, notValidated],
    ['it is an empty list', { aud: [] }, 'Claim is not allowed to be empty: aud'],
  ])('is refused if %s', async (_case, claims, message) => {
    const failure = await failureOf(sts.exchange({ WebIdentityToken: sts.token({ ...claims }) }));
    expect(failure).toEqual(invalidToken(message));
  });
});

describe('a token is refused', () => {
  it.each(['iss', 'sub', 'iat', 'exp'])('without %s', async (claim) => {
    const WebIdentityToken = sts.token({ [claim]: undefined });
    const failure = await failureOf(sts.exchange({ WebIdentityToken }));
    expect(failure).toEqual(invalidToken(`Missing a required claim: ${claim}`));
  });

  it.each<[string, () => string]>([
    ['is no JWT', () => 'opaque-access-token'],
    ['has two parts', () => sts.token().split('.').slice(0, 2).join('.')],
    ['has an empty signature', () => sts.token().replace(/[^.]+$/, '')],
    ['has five parts, as an encrypted one', () => `${sts.token()}.a.b`],
    ['has padding', () => `${sts.token()}==`],
    ['ends in a newline', () => `${sts.token()}\n`],
    ['has a header that is not JSON', () => `${btoa('x')}.${sts.token().split('.', 2)[1]}.AAAA`],
    ['is unsigned', () => sts.token({}, { header: { alg: 'none', kid: 'main' } })],
    ['is signed with a shared secret', () => sts.token({}, { header: { alg: 'HS256' } })],
    ['uses RSA-PSS', () => sts.token({}, { header: { alg: 'PS256', kid: 'main' } })],
    ['uses EdDSA', () => sts.token({}, { header: { alg: 'EdDSA', kid: 'main' } })],
    [
      'names a property of every object as algorithm',
      () => sts.token({}, { header: { alg: 'toString' } }),
    ],
    [
      'has a critical extension',
      () => sts.token({}, { header: { alg: 'RS256', kid: 'main', crit: ['x'] } }),
    ],
    ['has an issuer that is not text', () => sts.token({ iss: 7 })],
    ['has audiences that are not text', () => sts.token({ aud: [7] })],
  ])('that %s', async (_case, token) => {
    const failure = await failureOf(sts.exchange({ WebIdentityToken: token() }));
    expect(failure).toEqual(invalidToken(notAJwt));
  });

  it.each<[string, object]>([
    ['exp with a fraction', { exp: 1.5 }],
    ['exp that is null', { exp: null }],
    ['iat that is a text', { iat: 'now' }],
    ['nbf that is no number', { nbf: 'soon' }],
  ])('with an %s', async (_case, claims) => {
    const failure = await failureOf(sts.exchange({ WebIdentityToken: sts.token({ ...claims }) }));
    expect(failure).toEqual(invalidToken('Invalid timestamp in token claims.'));
  });

  it('from five minutes after its expiry on', async () => {
    const exp = Math.floor(sts.clock.now() / 1000) + 60;
    const WebIdentityToken = sts.token({ exp });
    await sts.clock.advance(359_000);
    await sts.exchange({ WebIdentityToken });
    await sts.clock.advance(1_000);
    expect(await failureOf(sts.exchange({ WebIdentityToken }))).toEqual({
      name: 'ExpiredTokenException',
      code: 'ExpiredTokenException',
      status: 400,
      message: `Token expired: current date/time ${exp} must be before the expiration date/time ${exp}`,
    });
  });

  it('more than five minutes before its nbf, or before it was issued', async () => {
    const now = Math.floor(sts.clock.now() / 1000);
    const at = (claims: object) => sts.exchange({ WebIdentityToken: sts.token({ ...claims }) });
    await at({ nbf: now + 300, iat: now + 300 });
    expect(await failureOf(at({ nbf: now + 301 }))).toEqual(
      invalidToken(
        `Token not yet valid: current date/time ${now + 300} must be after or equal to the not-before date/time ${now + 301}`,
      ),
    );
    expect(await failureOf(at({ iat: now + 301 }))).toEqual(
      invalidToken(`Token issued in the future: ${now + 301}`),
    );
  });

  it.each<[string, () => string]>([
    ['of another issuer', () => 'https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Other'],
    ['with a slash too many', () => `${sts.issuer.url}/`],
    ['in other letter case', () => sts.issuer.url.toUpperCase()],
  ])('%s, for which the account has no provider', async (_case, iss) => {
    const failure = await failureOf(sts.exchange({ WebIdentityToken: sts.token({ iss: iss() }) }));
    const message = `No OpenIDConnect provider found in your account for ${iss()}`;
    expect(failure).toEqual(invalidToken(message));
  });

  it('if the provider is in another account than the role', async () => {
    const RoleArn = roleArn.replace(accountId, '999999999999');
    sts.sts.putRole({ arn: RoleArn, trustPolicy: sts.trustPolicy() });
    const failure = await failureOf(sts.exchange({ RoleArn }));
    const message = `No OpenIDConnect provider found in your account for ${sts.issuer.url}`;
    expect(failure).toEqual(invalidToken(message));
  });
});

describe('the signature', () => {
  it.each<[string, () => string]>([
    ['over other claims', () => swapPayload(sts.token(), sts.claims({ sub: 'somebody-else' }))],
    ['by another key with the same id', () => sts.token({}, { key: sts.issuer.publish('other') })],
    [
      'by a key of another type than the algorithm says',
      () => sts.token({}, { alg: 'ES256', kid: 'main', key: sts.issuer.publish('ec', 'P-256') }),
    ],
    [
      'by a key on another curve than the algorithm says',
      () => sts.token({}, { alg: 'ES256', kid: 'p384', key: sts.issuer.publish('p384', 'P-384') }),
    ],
  ])('is refused if made %s', async (_case, token) => {
    const failure = await failureOf(sts.exchange({ WebIdentityToken: token() }));
    expect(failure).toEqual(invalidToken('The signature of the token is not valid'));
  });

  it('cannot be checked with a key id that the issuer does not publish', async () => {
    const unknown = sts.token({}, { kid: 'nobody' });
    const none = sts.token({}, { header: { alg: 'RS256' } });
    for (const WebIdentityToken of [unknown, none]) {
      const failure = await failureOf(sts.exchange({ WebIdentityToken }));
      expect(failure).toEqual(invalidToken(keyNotRetrieved));
    }
  });

  it('is checked with a key published a moment ago', async () => {
    await sts.exchange();
    const WebIdentityToken = sts.token({}, { kid: 'new', key: sts.issuer.publish('new') });
    const answer = await sts.exchange({ WebIdentityToken });
    expect(answer.Credentials).toBeDefined();
  });
});

describe('the JWKS', () => {
  it('is fetched once a minute, however many tokens come', async () => {
    await sts.clock.advance(60_000);
    const before = sts.issuer.fetches;
    await Promise.all([sts.exchange(), sts.exchange(), sts.exchange()]);
    await sts.clock.advance(59_999);
    await sts.exchange();
    expect(sts.issuer.fetches).toBe(before + 1);
    await sts.clock.advance(1);
    await sts.exchange();
    expect(sts.issuer.fetches).toBe(before + 2);
  });

  it.each([
    ['is an error page', { status: 503, body: 'down' }],
    ['is not JSON', { status: 200, body: '<html>' }],
    ['has no keys', { status: 200, body: '{"keys":[]}' }],
    ['has no list of keys', { status: 200, body: '{"keys":{"main":1}}' }],
    ['has more than 100 RSA keys', { status: 200, body: manyKeys(101) }],
    ['is larger than 256 KiB', { status: 200, body: ' '.repeat(256 * 1024 + 1) }],
  ])(
    'that %s is a transient failure, over as soon as the issuer is back',
    async (_case, answer) => {
      await sts.clock.advance(60_000);
      sts.issuer.answerWith(answer);
      const failure = await failureOf(sts.exchange());
      sts.issuer.answerWith(undefined);
      expect(failure).toEqual(invalidToken(keyNotRetrieved));
      expect((await sts.exchange()).Credentials).toBeDefined();
    },
  );
});

describe('the role', () => {
  it('that does not exist is refused like one that does not trust the caller', async () => {
    const RoleArn = `arn:aws:iam::${accountId}:role/nobody`;
    expect(await failureOf(sts.exchange({ RoleArn }))).toEqual(accessDenied);
  });

  it('is found by its whole ARN, path and letter case included', async () => {
    for (const name of ['orders-writer', 'broker/Orders-Writer']) {
      const RoleArn = `arn:aws:iam::${accountId}:role/${name}`;
      expect(await failureOf(sts.exchange({ RoleArn }))).toEqual(accessDenied);
    }
  });

  it('limits how long a session lasts, and nothing is clamped', async () => {
    const message =
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.';
    const failure = await failureOf(sts.exchange({ DurationSeconds: 3601 }));
    expect(failure).toEqual(validationError(message));

    const long = `arn:aws:iam::${accountId}:role/long-sessions`;
    sts.sts.putRole({
      arn: long,
      maxSessionDurationSeconds: 43_200,
      trustPolicy: sts.trustPolicy(),
    });
    const answer = await sts.exchange({ RoleArn: long, DurationSeconds: 43_200 });
    expect(answer.Credentials?.Expiration?.getTime()).toBe(sts.clock.now() + 43_200_000);
  });

  it('cannot be put with an ARN, a duration or a trust policy that IAM would not save', () => {
    const trustPolicy = sts.trustPolicy();
    expect(() => sts.sts.putRole({ arn: 'arn:aws:iam::1:role/x', trustPolicy })).toThrow('"arn"');
    expect(() =>
      sts.sts.putRole({ arn: roleArn, maxSessionDurationSeconds: 900, trustPolicy }),
    ).toThrow('"maxSessionDurationSeconds"');
    expect(() => sts.sts.putRole({ arn: roleArn, trustPolicy: {} })).toThrow('trust policy');
  });
});

describe('a provider', () => {
  it.each([
    ['an account id that is not one', { accountId: '1' }],
    ['an issuer on plain http elsewhere', { issuer: 'http://issuer.example.com' }],
    ['keys on plain http elsewhere', { jwksUri: 'http://127.example.com/jwks.json' }],
    ['more than 100 client ids', { clientIds: Array.from({ length: 101 }, (_, n) => `c${n}`) }],
  ])('cannot be put with %s', (_case, fault) => {
    const provider = {
      accountId,
      issuer: 'https://issuer.example.com',
      jwksUri: 'https://issuer.example.com/jwks.json',
      clientIds: [],
    };
    expect(() => sts.sts.putProvider({ ...provider, ...fault })).toThrow();
  });

  it('that is put again takes effect at once', async () => {
    const { url: issuer, jwksUri } = sts.issuer;
    sts.sts.putProvider({ accountId, issuer, jwksUri, clientIds: ['another-client'] });
    const failure = await failureOf(sts.exchange());
    sts.sts.putProvider({ accountId, issuer, jwksUri, clientIds: [clientId] });
    expect(failure).toEqual(invalidToken(notValidated));
    expect((await sts.exchange()).Credentials).toBeDefined();
  });
});

describe('a parameter', () => {
  const sized = (member: string, rule: string) =>
    validationError(
      `1 validation error detected: Value ${member} failed to satisfy constraint: ${rule}`,
    );

  it.each([
    [
      'RoleSessionName of one character',
      { RoleSessionName: 'x' },
      sized("'x' at 'roleSessionName'", 'Member must have length greater than or equal to 2'),
    ],
    [
      'RoleSessionName with a space',
      { RoleSessionName: 'a b' },
      sized(
        "'a b' at 'roleSessionName'",
        'Member must satisfy regular expression pattern: [\\w+=,.@-]*',
      ),
    ],
    [
      'RoleSessionName beyond ASCII',
      { RoleSessionName: 'zoë' },
      sized(
        "'zoë' at 'roleSessionName'",
        'Member must satisfy regular expression pattern: [\\w+=,.@-]*',
      ),
    ],
    [
      'RoleSessionName of 65 characters',
      { RoleSessionName: 'x'.repeat(65) },
      sized(
        `'${'x'.repeat(65)}' at 'roleSessionName'`,
        'Member must have length less than or equal to 64',
      ),
    ],
    [
      'RoleArn that is too short',
      { RoleArn: 'arn:aws:iam::1' },
      sized("'arn:aws:iam::1' at 'roleArn'", 'Member must have length greater than or equal to 20'),
    ],
    [
      'RoleArn that is no role',
      { RoleArn: `arn:aws:iam::${accountId}:user/somebody` },
      validationError('Request ARN is invalid'),
    ],
    [
      'DurationSeconds below 900',
      { DurationSeconds: 899 },
      sized("'899' at 'durationSeconds'", 'Member must have value greater than or equal to 900'),
    ],
    [
      'DurationSeconds above 43200',
      { DurationSeconds: 43_201 },
      sized("'43201' at 'durationSeconds'", 'Member must have value less than or equal to 43200'),
    ],
  ])('%s is refused', async (_case, input, expected) => {
    expect(await failureOf(sts.exchange(input))).toEqual(expected);
  });

  it('that is sensitive is not repeated in the error', async () => {
    const WebIdentityToken = 's3cret.'.repeat(3_000);
    const failure = await failureOf(sts.exchange({ WebIdentityToken }));
    expect(failure).toEqual(
      sized("at 'webIdentityToken'", 'Member must have length less than or equal to 20000'),
    );
  });

  it('that is missing is named, and all faults are reported at once', async () => {
    const text = await (await post({ RoleArn: undefined, DurationSeconds: 'soon' })).text();
    expect(text).toContain('<Code>ValidationError</Code>');
    expect(text).toContain('2 validation errors detected: Value null at &apos;roleArn&apos;');
    expect(text).toContain('Member must be an integer');
  });

  it('of AssumeRole (tags, source identity) is refused, so that it never seems to work', async () => {
    const response = await post({ 'Tags.member.1.Key': 'team', 'Tags.member.1.Value': 'x' });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('<Code>ValidationError</Code>');
  });
});

describe('the wire', () => {
  it.each([
    ['an unknown action', { Action: 'AssumeRole' }, 'AssumeRole for version 2011-06-15'],
    [
      'another version',
      { Version: '2010-01-01' },
      'AssumeRoleWithWebIdentity for version 2010-01-01',
    ],
    [
      'no version',
      { Version: undefined },
      'AssumeRoleWithWebIdentity for version NO_VERSION_SPECIFIED',
    ],
  ])('refuses %s as InvalidAction', async (_case, fields, message) => {
    const response = await post(fields);
    const text = await response.text();
    expect(response.status).toBe(400);
    expect(text).toContain('<Code>InvalidAction</Code>');
    expect(text).toContain(`<Message>Could not find operation ${message}</Message>`);
  });

  it.each<[string, RequestInit & { path?: string }, number, string]>([
    ['GET, which would put the token into a URL', { method: 'GET' }, 405, 'MethodNotAllowed'],
    ['a query', { path: '/?Action=GetCallerIdentity' }, 404, 'MalformedQueryString'],
    ['another path', { path: '/sts' }, 404, 'MalformedQueryString'],
    [
      'a body of more than 64 KiB',
      { body: `A=${'x'.repeat(65_536)}` },
      413,
      'RequestEntityTooLarge',
    ],
    [
      'JSON',
      { body: '{}', headers: { 'content-type': 'application/json' } },
      400,
      'MalformedInput',
    ],
    ['a repeated parameter', { body: 'Action=A&Action=B' }, 400, 'MalformedInput'],
    ['a broken percent escape', { body: 'Action=%zz' }, 400, 'MalformedInput'],
    ['bytes that are not UTF-8', { body: Buffer.from([0x41, 0x3d, 0xff]) }, 400, 'MalformedInput'],
    ['an endless list of parameters', { body: manyParameters(101) }, 400, 'MalformedInput'],
    ['an empty body', { body: '' }, 400, 'MissingAction'],
  ])('refuses %s', async (_case, { path = '/', ...init }, status, code) => {
    const response = await fetch(`${sts.sts.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      ...init,
    });
    expect(response.status).toBe(status);
    expect(await response.text()).toContain(`<Code>${code}</Code>`);
    expect(sts.sts.requests.at(-1)).toMatchObject({ action: expect.any(String), code });
  });

  it('listens on loopback only', () => {
    expect(sts.sts.url).toMatch(/^http:\/\/127\.0\.0\.1:/);
  });

  it('keeps a bounded log of requests', async () => {
    const bare = () => fetch(sts.sts.url, { method: 'POST' }).then((response) => response.text());
    for (let batch = 0; batch < 11; batch++) await Promise.all(Array.from({ length: 100 }, bare));
    expect(sts.sts.requests).toHaveLength(1_000);
  });
});

/** One request as a form, without an SDK between; `undefined` leaves a field out. */
function post(fields: Readonly<Record<string, string | undefined>>): Promise<Response> {
  const all = {
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: roleArn,
    RoleSessionName: 'orders-service',
    WebIdentityToken: sts.token(),
    ...fields,
  };
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(all)) if (value !== undefined) body.set(name, value);
  return fetch(sts.sts.url, { method: 'POST', body });
}

function swapPayload(token: string, claims: object): string {
  const [header, , signature] = token.split('.');
  return [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
}

function manyKeys(count: number): string {
  return JSON.stringify({
    keys: Array.from({ length: count }, (_, n) => ({ kty: 'RSA', kid: `${n}` })),
  });
}

function manyParameters(count: number): string {
  return Array.from({ length: count }, (_, n) => `p${n}=x`).join('&');
}
