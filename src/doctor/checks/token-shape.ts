/** What a user pool puts into its tokens: without `aud` STS takes none of them. */

import type { UserPoolSettings } from '../../identity/providers/user-pool.ts';
import type { JsonObject } from '../../kit/json/json-object.ts';
import { type Check, ofEach } from '../check.ts';
import type { Examination } from '../examination.ts';
import { type Finding, fail, pass, unknown, unreadFinding } from '../finding.ts';

export const tokenShape: Check = {
  about:
    'whether tokens of each user pool carry aud: its plan and its trigger, or the sample token',
  permissions: ['cognito-idp:DescribeUserPool'],
  async run(examination) {
    const { userPools } = examination.config.identity;
    const shown = userPools.filter(({ issuer }) => isShown(issuer, examination));
    return await ofEach(shown, (pool) => poolFinding(pool, examination));
  },
};

/** Only where callers' own tokens are what STS is shown. */
function isShown(issuer: string, { examined }: Examination): boolean {
  return examined.some(({ needs }) =>
    needs.some((need) => need.form === 'caller' && need.issuer === issuer),
  );
}

async function poolFinding(pool: UserPoolSettings, examination: Examination): Promise<Finding> {
  const { token, account } = examination;
  if (token?.claims['iss'] === pool.issuer) return sampleFinding(pool, token.claims);
  const subject = pool.pool;
  if (!pool.tokenUse.includes('access')) return pass(subject, 'ID tokens, which carry aud');
  const read = await account.userPools.userPool(pool.pool);
  if (read.kind === 'absent') {
    return fail(subject, 'there is no such user pool in the account of your credentials', [
      'Correct identity.userPools in the configuration, or run it with credentials of the account of the pool.',
    ]);
  }
  if (read.kind === 'unread') return unreadFinding(subject, read);
  const { plan, triggerVersion } = read.value;
  if (plan === 'LITE') {
    return fail(subject, 'the plan Lite has no trigger that could add aud to access tokens', [
      'Move the pool to Essentials or Plus and attach the trigger (docs/aws-setup.md, step 3), or have the broker issue the tokens (docs/web-identity.md).',
    ]);
  }
  if (triggerVersion === 'V3_0') {
    return unknown(
      subject,
      'has a trigger of version V3_0; whether it adds aud only a token tells',
      ['Give a new token of the pool with --token-file.'],
    );
  }
  const now =
    triggerVersion === undefined ? 'has no trigger' : `has a trigger of ${triggerVersion}`;
  return fail(
    subject,
    `${now} that adds aud to tokens of services: STS says "Missing a required claim: aud"`,
    [attach],
  );
}

function sampleFinding(pool: UserPoolSettings, claims: JsonObject): Finding {
  const subject = `the sample token, of ${pool.pool}`;
  const use = claims['token_use'];
  if (use !== 'access' && use !== 'id') {
    return fail(subject, 'is neither an access token nor an ID token of a user pool', [
      'Show the token that the service shows to the broker.',
    ]);
  }
  if (!pool.tokenUse.includes(use)) {
    return fail(subject, `is of a kind that the configuration does not take from this pool`, [
      `Show one of: ${pool.tokenUse.join(', ')}; or set tokenUse of the pool in the configuration.`,
    ]);
  }
  if (claims['aud'] !== undefined) return pass(subject, 'carries aud');
  return fail(subject, 'has no aud: STS says "Missing a required claim: aud"', [attach]);
}

const attach =
  'Attach a pre-token-generation trigger with event version V3_0 that sets aud to the app client id (docs/aws-setup.md, step 3), or have the broker issue the tokens: session.identity: broker (docs/web-identity.md).';
