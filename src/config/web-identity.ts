/** What an issuer that STS is to trust must look like, and which keys it may have. */

import { trustedIssuersOf } from './configured-issuers.ts';
import { type ConfigRule, fault, type SettingFault } from './fault.ts';
import type { Config } from './schema.ts';

type WebIdentity = NonNullable<Config['webIdentity']>;

export const issuerRules: readonly ConfigRule[] = [
  function* issuerIsWhatIamTakes({ webIdentity, profile }) {
    if (webIdentity === undefined) return;
    for (const detail of issuerFaults(webIdentity.issuer, profile))
      yield fault('webIdentity.issuer', detail);
  },
  function* issuerIsNoPool({ webIdentity, identity }) {
    if (webIdentity === undefined) return;
    const { issuer } = webIdentity;
    if (!trustedIssuersOf(identity).some((trusted) => trusted.issuer === issuer)) return;
    yield fault('webIdentity.issuer', 'is that of a pool: tokens of the broker are for STS alone');
  },
  ({ webIdentity }) => sameKeys(webIdentity?.keys),
];

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html, parameter Url */
function issuerFaults(issuer: string, profile: Config['profile']): readonly string[] {
  if (!URL.canParse(issuer)) return ['must be an https URL'];
  const { protocol, hostname, port, origin, pathname } = new URL(issuer);
  const local = profile === 'development' && protocol === 'http:' && isLoopback(hostname);
  const odd = [
    [!local && protocol !== 'https:', 'must be an https URL, as STS asks'],
    [!local && port !== '', 'must have no port: IAM takes none'],
    [/[?#]/.test(issuer), 'must have no query and no fragment: IAM takes none'],
    [issuer.includes('@'), 'must have no user information'],
    [issuer.endsWith('/'), 'must not end with a slash: STS compares it letter by letter'],
  ] as const;
  const faults = odd.flatMap(([isSo, detail]) => (isSo ? [detail] : []));
  const normal = `${origin}${pathname === '/' ? '' : pathname}`;
  if (faults.length > 0 || (issuer === normal && plain.test(issuer))) return faults;
  return [
    'must be written plainly: lower-case host, no default port; in the path names of letters, digits and - . _ ~, no escapes and no dot segments',
  ];
}

/** A listener that serves the documents has routes of this path: nothing in it may mean more than itself there. */
const plain = /^https?:\/\/[a-z\d.:-]+(?:\/[\w.~-]+)*$/;

function* sameKeys(keys: WebIdentity['keys']): Generator<SettingFault> {
  const { current, next, previous } = keys ?? {};
  const ids = [current, next, previous].flatMap((key) =>
    key === undefined ? [] : [`${key.kms.region} ${key.kms.keyId}`],
  );
  if (new Set(ids).size !== ids.length) yield fault('webIdentity.keys', 'has the same key twice');
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
