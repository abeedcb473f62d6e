/** What issuers publish, fetched as STS would: without it STS believes no token of theirs. */

import type { JsonObject } from '../../kit/json/json-object.ts';
import { type Check, ofEach } from '../check.ts';
import { type Examination, type NeededIssuer, neededIssuers } from '../examination.ts';
import { type Finding, fail, pass } from '../finding.ts';
import { fetchDiscovery, fetchKeySet, keysIn } from '../published-keys.ts';
import { isTakenBySts } from '../usable-keys.ts';

export const discovery: Check = {
  about: 'the discovery document of each issuer, fetched as STS would',
  permissions: [],
  run: (examination) =>
    ofEach(neededIssuers(examination), (one) => discoveryFinding(one, examination)),
};

async function discoveryFinding(needed: NeededIssuer, examination: Examination): Promise<Finding> {
  const { issuer, ofBroker } = needed;
  const fetched = await fetchDiscovery(needed, examination);
  if (typeof fetched === 'string') return fail(issuer, fetched, [publishing(ofBroker)]);
  if (fetched.document['issuer'] !== issuer) {
    return fail(issuer, `${fetched.url} is of another issuer, byte for byte`, [
      ofBroker
        ? 'Render the documents again: token-broker web-identity render DIR --config FILE'
        : 'Correct the issuer in the configuration: it is what the tokens have in iss.',
    ]);
  }
  return pass(issuer, `${fetched.url} can be fetched, and is of this issuer`);
}

function publishing(ofBroker: boolean): string {
  return ofBroker
    ? 'Publish both documents for the whole Internet (docs/web-identity.md); token-broker web-identity check --config FILE says more.'
    : 'Correct the issuer in the configuration. If it is right, the issuer itself is not reachable from the Internet, or slow.';
}

export const keySet: Check = {
  about: 'the key set of each issuer: keys that STS takes',
  permissions: [],
  run: (examination) =>
    ofEach(neededIssuers(examination), (one) => keySetFindings(one, examination)),
};

async function keySetFindings(
  needed: NeededIssuer,
  examination: Examination,
): Promise<readonly Finding[]> {
  const { issuer, ofBroker } = needed;
  const document = await fetchDiscovery(needed, examination);
  // The other check says why.
  if (typeof document === 'string') return [];
  const fetched = await fetchKeySet(needed, document, examination);
  if (typeof fetched === 'string') return [fail(issuer, fetched, [publishing(ofBroker)])];
  const keys = keysIn(fetched);
  if (keys === undefined || keys.length === 0) {
    return [fail(issuer, `${fetched.url} has no list of keys`, [publishing(ofBroker)])];
  }
  const fault = keySetFault(keys);
  if (fault === undefined) return [pass(issuer, `${fetched.url} has keys that STS takes`)];
  return [
    fail(issuer, `${fetched.url} ${fault}`, [
      ofBroker
        ? 'Render the documents again: token-broker web-identity render DIR --config FILE'
        : 'Have the issuer publish it in the form of RFC 7517 with use "sig", without key_ops, and with its own certificate in x5c or none.',
    ]),
  ];
}

/** STS takes up to so many of a type. */
const maxKeysOfAType = 100;

/** Recorded of STS in September 2026. */
function keySetFault(keys: readonly JsonObject[]): string | undefined {
  const crowded = ['RSA', 'EC'].find(
    (type) => keys.filter(({ kty }) => kty === type).length > maxKeysOfAType,
  );
  if (crowded !== undefined)
    return `has more than ${maxKeysOfAType} ${crowded} keys: STS takes none`;
  const ids = keys.map(({ kid }) => kid);
  if (new Set(ids).size !== ids.length) return 'has two keys of one kid: STS takes the later one';
  return keys.every((key) => !isTakenBySts(key))
    ? 'has no key that STS takes: each has another use than "sig", key_ops, or the certificate of another key in x5c'
    : undefined;
}
