/** What a trust policy can see of an exchange, by condition key: recorded on real AWS in September 2026. */

export interface TrustFacts {
  /** ARN of the OIDC provider in the account of the role. */
  readonly providerArn: string;
  /** The issuer without its scheme: what its condition keys begin with. */
  readonly providerName: string;
  /** Of the role. */
  readonly accountId: string;
  /** What STS compares with the client ids of the provider: `azp` if the token has one, else `aud`. */
  readonly audience: string;
  /** The `aud` claim itself. */
  readonly originalAudiences: readonly string[];
  /** The claims `sub`, `amr` and `email`, whatever they are: what is no text is left out. */
  readonly subject: unknown;
  readonly amr: unknown;
  readonly email: unknown;
  readonly sessionName: string | undefined;
  /** Undefined: the token has none. */
  readonly tags: ReadonlyMap<string, string> | undefined;
  readonly transitiveTagKeys: readonly string[];
  readonly sourceIdentity: string | undefined;
  /** Whether the token names the role. */
  readonly authorizedByIdp: boolean;
  readonly sourceVpce: string | undefined;
}

/** By name in lower case; a key without a value is left out. STS ignores every other claim of the token. */
export function trustContext(facts: TrustFacts): ReadonlyMap<string, readonly string[]> {
  const { providerName: issuer, providerArn, tags } = facts;
  const entries: [string, readonly unknown[]][] = [
    [`${issuer}:aud`, [facts.audience]],
    [`${issuer}:oaud`, facts.originalAudiences],
    [`${issuer}:sub`, [facts.subject]],
    [`${issuer}:amr`, [facts.amr].flat()],
    [`${issuer}:email`, [facts.email]],
    ['sts:RoleSessionName', [facts.sessionName]],
    ['sts:SourceIdentity', [facts.sourceIdentity]],
    ['sts:TransitiveTagKeys', facts.transitiveTagKeys],
    // It is there only where it is true.
    ['sts:RoleAuthorizedByIdp', facts.authorizedByIdp ? ['true'] : []],
    ['aws:SourceVpce', [facts.sourceVpce]],
    // The provider is the principal; `aws:PrincipalArn` is absent.
    ['aws:FederatedProvider', [providerArn]],
    ['aws:PrincipalAccount', [facts.accountId]],
    ['aws:PrincipalType', ['User']],
    ['aws:userid', [providerArn]],
    ['aws:TagKeys', [...(tags?.keys() ?? [])]],
    ...Array.from(tags ?? [], ([key, value]): [string, readonly unknown[]] => [
      `aws:RequestTag/${key}`,
      [value],
    ]),
  ];
  const context = new Map<string, readonly string[]>();
  for (const [key, values] of entries) {
    const texts = values.filter((value) => typeof value === 'string');
    if (texts.length > 0) context.set(key.toLowerCase(), texts);
  }
  return context;
}

/** Of the keys of AWS that are no key of a provider: when STS fills these is known for a web identity. The call is signed by nobody. */
const recorded: ReadonlySet<string> = new Set([
  ...['aws:federatedprovider', 'aws:principalaccount', 'aws:principalarn', 'aws:principaltype'],
  ...['aws:sourcevpce', 'aws:tagkeys', 'aws:userid'],
  ...['aws:multifactorauthage', 'aws:multifactorauthpresent', 'aws:tokenissuetime', 'aws:username'],
]);

/** Whether it is known if STS fills that key (in lower case), and with what. */
export function isRecordedKey(key: string): boolean {
  return !key.startsWith('aws:') || key.startsWith('aws:requesttag/') || recorded.has(key);
}
