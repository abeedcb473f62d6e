/** The sample token as STS would read it, in the order in which STS looks. */

import type { Check } from '../check.ts';
import { type Examination, neededIssuers } from '../examination.ts';
import { type Finding, fail, pass, unknown } from '../finding.ts';
import { fetchDiscovery, fetchKeySet, keysIn } from '../published-keys.ts';
import { clientOf, type SampleToken } from '../sample-token.ts';
import { isTakenBySts } from '../usable-keys.ts';

/** AssumeRoleWithWebIdentity, API reference. */
const algorithms = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512'];
/** Recorded: STS tolerates clocks that differ by so much. */
const toleranceSeconds = 300;
const subject = 'the sample token';

export const token: Check = {
  about:
    'the claims of the sample token: those that STS requires, its times, and that a mapping is for its app client',
  permissions: [],
  async run(examination) {
    const { token: sample, clock } = examination;
    if (sample === undefined) return [];
    if (isNeverShown(sample, examination)) return [neverShown];
    const { claims } = sample;
    const missing = ['iss', 'sub', 'aud', 'iat', 'exp'].filter((name) => !(name in claims));
    if (missing.length > 0) {
      const detail = `lacks ${missing.join(', ')}: STS says "Missing a required claim: ${missing[0]}"`;
      return [fail(subject, detail, [lacking(missing)])];
    }
    const time = timeFault(claims, clock.now() / 1000);
    if (time !== undefined) return [fail(subject, ...time)];
    if (Array.isArray(claims['aud']) && claims['aud'].length > 1 && claims['azp'] === undefined) {
      return [
        fail(subject, 'has several audiences and no azp, which STS refuses', [
          'Have the issuer put one audience into aud.',
        ]),
      ];
    }
    if (isOfAnotherClient(sample, examination)) return [ofAnotherClient];
    return [pass(subject, 'has the claims that STS requires, and is in its time')];
  },
};

/** Whatever it holds: STS is shown tokens of the broker instead. */
function isNeverShown({ claims }: SampleToken, { examined }: Examination): boolean {
  const needs = examined.flatMap((role) => role.needs);
  const others = needs.filter(({ form, issuer }) => form === 'broker' && issuer !== claims['iss']);
  return needs.length > 0 && others.length === needs.length;
}

const neverShown = pass(
  subject,
  'is not what STS is shown: mappings of these roles have the identity of the broker',
);

/** Of an issuer that they are for: of another one says the next check. */
function isOfAnotherClient({ claims }: SampleToken, { examined }: Examination): boolean {
  const ofIssuer = examined
    .flatMap(({ needs }) => needs)
    .filter(({ form, issuer }) => form === 'caller' && issuer === claims['iss']);
  const client = clientOf(claims);
  return ofIssuer.length > 0 && ofIssuer.every(({ audience }) => audience !== client);
}

const ofAnotherClient = fail(subject, 'is of an app client that no mapping of these roles is for', [
  'Show a token of the caller whom a mapping names; token-broker explain says what this one may have.',
]);

function lacking(missing: readonly string[]): string {
  return missing.includes('aud')
    ? 'Have the pool add aud (docs/aws-setup.md, step 3), or the broker issue the tokens: session.identity: broker (docs/web-identity.md).'
    : 'Show a token as a user pool issues them.';
}

function timeFault(
  { exp, iat, nbf }: Readonly<Record<string, unknown>>,
  nowSeconds: number,
): [detail: string, cure: readonly string[]] | undefined {
  const [ends, issued, begins = 0] = [exp, iat, nbf].map((claim) =>
    claim === undefined ? undefined : Number(claim),
  );
  if (ends === undefined || issued === undefined || !Number.isSafeInteger(ends + issued + begins)) {
    return ['has times that are no whole seconds', ['Show a token as a user pool issues them.']];
  }
  if (ends <= nowSeconds - toleranceSeconds) {
    const ago = Math.round(nowSeconds - ends);
    return [`has expired ${ago} s ago: STS says "Token expired"`, ['Get a new token.']];
  }
  if (Math.max(issued, begins) > nowSeconds + toleranceSeconds) {
    return [
      'is of the future, by the clock of this machine',
      ['Set the clock right: the check "clock" says how far it is off.'],
    ];
  }
  return undefined;
}

export const tokenKey: Check = {
  about: 'the kid and the algorithm of the sample token, in the key set of its issuer',
  permissions: [],
  async run(examination) {
    const { token: sample } = examination;
    if (sample === undefined || isNeverShown(sample, examination)) return [];
    const { alg, kid } = sample.header;
    if (typeof alg !== 'string' || !algorithms.includes(alg)) {
      const detail = `is signed by an algorithm that STS does not take; it takes ${algorithms.join(', ')}`;
      return [fail(subject, detail, ['Show a token as a user pool issues them.'])];
    }
    const needed = neededIssuers(examination).find(({ issuer }) => issuer === sample.claims['iss']);
    if (needed === undefined) {
      return [
        fail(subject, 'is of an issuer that no mapping of these roles is for', [
          'Show a token of the pool of the mapping, or correct the issuer in the configuration: both are compared byte for byte.',
        ]),
      ];
    }
    const document = await fetchDiscovery(needed, examination);
    const keySet =
      typeof document === 'string' ? document : await fetchKeySet(needed, document, examination);
    if (typeof keySet === 'string') return [unknown(subject, `there is no key set: ${keySet}`)];
    return [keyFinding(keysIn(keySet) ?? [], kid)];
  },
};

function keyFinding(keys: readonly Readonly<Record<string, unknown>>[], kid: unknown): Finding {
  const key = keys.findLast((one) => one['kid'] === kid);
  if (key === undefined || kid === undefined) {
    const detail =
      'has a kid that is not in the key set of its issuer: STS says "Couldn\'t retrieve verification key"';
    return fail(subject, detail, ['Get a new token: keys change now and then.']);
  }
  if (!isTakenBySts(key)) {
    return fail(
      subject,
      'is signed by a key that STS does not take: its use is not "sig", or it has key_ops, or x5c is of another key',
      [
        'Have the issuer publish the key with use "sig", without key_ops, and with its own certificate in x5c or none.',
      ],
    );
  }
  return pass(subject, 'names a key of its issuer, and an algorithm that STS takes');
}
