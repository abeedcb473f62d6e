/** A web identity provider (OpenID Connect) of IAM must be in the account of the role, and have the issuer byte for byte. */

import { providerName } from '../../web-identity/trust-policy.ts';
import { type Check, ofEach } from '../check.ts';
import { awsCommand, documentWord } from '../commands.ts';
import type { Examination, NeededProvider } from '../examination.ts';
import { type Finding, fail, pass, unreadFinding } from '../finding.ts';

/** Accounts have 100 of them at most, and one can ask for more. */
const providersPermission = 'iam:ListOpenIDConnectProviders';

export const provider: Check = {
  about: 'the IAM OIDC provider of each issuer, in the account of each role',
  permissions: [providersPermission],
  run: (examination) =>
    ofEach(examination.providers, (needed) => providerFinding(needed, examination)),
};

export const issuer: Check = {
  about: 'that the provider has the issuer byte for byte',
  permissions: [providersPermission, 'iam:GetOpenIDConnectProvider'],
  run: (examination) =>
    ofEach(examination.providers, (needed) => issuerFindings(needed, examination)),
};

async function providerFinding(needed: NeededProvider, { account }: Examination): Promise<Finding> {
  const { arn, accountId, issuer: url } = needed;
  const elsewhere = await account.credentials.elsewhere(accountId);
  if (elsewhere !== undefined) return unreadFinding(arn, elsewhere);
  const listed = await account.iam.providers();
  if (listed.kind === 'absent') return fail(arn, 'there is none', creation(needed));
  if (listed.kind === 'unread') return unreadFinding(arn, listed);
  if (listed.value.includes(arn)) return pass(arn, 'is there');
  const anyones = await account.credentials.notOf(accountId);
  if (anyones !== undefined) return unreadFinding(arn, anyones);
  const alike = lookAlike(arn, listed.value);
  const detail =
    alike === undefined
      ? `account ${accountId} has no provider for ${url}: STS says "No OpenIDConnect provider found in your account"`
      : `account ${accountId} has ${alike}, which is another issuer to STS: it compares them byte for byte`;
  return fail(arn, detail, creation(needed));
}

async function issuerFindings(
  needed: NeededProvider,
  { account }: Examination,
): Promise<readonly Finding[]> {
  const { arn, issuer: url } = needed;
  const read = await account.iam.provider(arn);
  if (read.kind === 'unread') return [unreadFinding(arn, read)];
  if (read.kind === 'absent') {
    const listed = await account.iam.providers();
    const alike = listed.kind === 'read' ? lookAlike(arn, listed.value) : undefined;
    if (alike === undefined) return [];
    const detail = `the provider is for ${nameIn(alike)}, and tokens say ${providerName(url)}: a slash, the case of a letter or another form of the issuer`;
    return [fail(arn, detail, creation(needed))];
  }
  const found = read.value.url.replace(/^https?:\/\//, '');
  if (found === providerName(url)) return [pass(arn, `is for ${url}`)];
  return [fail(arn, `IAM says that it is for ${found}, and tokens say ${url}`, creation(needed))];
}

/** What somebody may have taken for the issuer. */
function lookAlike(arn: string, listed: readonly string[]): string | undefined {
  const wanted = blurred(arn);
  return listed.find((one) => one !== arn && blurred(one) === wanted);
}

/** Without what makes two issuers look alike; user pools have two hosts. */
function blurred(arn: string): string {
  return nameIn(arn)
    .toLowerCase()
    .replace(/\/+$/, '')
    .replace(/^issuer[-.](?=cognito-idp\.)/, '');
}

function nameIn(arn: string): string {
  return arn.slice(arn.indexOf('oidc-provider/') + 'oidc-provider/'.length);
}

function creation({ issuer: url, audiences, accountId }: NeededProvider): readonly string[] {
  return [
    `In account ${accountId}, create it for exactly ${url} (an account has one for an issuer; leave others until nothing uses them):`,
    awsCommand(
      ...['iam', 'create-open-id-connect-provider', '--url', url],
      ...['--client-id-list', documentWord(audiences.slice(0, 100))],
    ),
  ];
}
