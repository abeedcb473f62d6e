/** STS compares the audience of a token with the client ids of the provider, before it looks at the trust policy. */

import { type Check, ofEach } from '../check.ts';
import { awsCommand } from '../commands.ts';
import type { Examination, NeededProvider } from '../examination.ts';
import { type Finding, fail, pass, unreadFinding } from '../finding.ts';

/** IAM quotas: client ids of one provider. */
const maxClientIds = 100;
const nearlyFull = 90;

export const audiences: Check = {
  about: 'that the provider lists every audience of the mappings, and how near to 100 it is',
  permissions: ['iam:GetOpenIDConnectProvider'],
  run: (examination) =>
    ofEach(examination.providers, (needed) => audienceFindings(needed, examination)),
};

async function audienceFindings(
  { arn, audiences: needed }: NeededProvider,
  { account }: Examination,
): Promise<readonly Finding[]> {
  const read = await account.iam.provider(arn);
  // That there is none is another check's matter.
  if (read.kind === 'absent') return [];
  if (read.kind === 'unread') return [unreadFinding(arn, read)];
  const { clientIds } = read.value;
  const lacking = needed.filter((audience) => !clientIds.includes(audience));
  const extent = `${clientIds.length} of at most ${maxClientIds} client ids`;
  if (lacking.length === 0) {
    const full = clientIds.length >= nearlyFull ? [anotherWay] : undefined;
    return [pass(arn, `lists every audience; ${extent}`, full)];
  }
  const room = maxClientIds - clientIds.length;
  const detail = `does not list ${lacking.join(', ')} (${extent}): STS says "could not be validated"`;
  const commands = lacking
    .slice(0, room)
    .map((audience) =>
      awsCommand(
        ...['iam', 'add-client-id-to-open-id-connect-provider'],
        ...['--open-id-connect-provider-arn', arn, '--client-id', audience],
      ),
    );
  return [fail(arn, detail, [...commands, ...(lacking.length > room ? [anotherWay] : [])])];
}

const anotherWay =
  'There is no room for many more: have the broker issue the tokens, which needs one client id for all (docs/web-identity.md), or use several user pools.';
