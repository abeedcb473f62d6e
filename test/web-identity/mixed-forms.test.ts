/** Both forms at once, the same callers and roles in both: nobody gets another's session or tags. */

import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CredentialCache } from '../../src/sts/credential-cache.ts';
import { EphemeralTokenSigner } from '../../src/web-identity/ephemeral-token-signer.ts';
import { TokenIssuer } from '../../src/web-identity/token-issuer.ts';
import { WebIdentityForms } from '../../src/web-identity/web-identity-forms.ts';
import { runs } from '../support/fuzz-budget.ts';
import { type PlannedCall, planned } from '../support/session-plans.ts';
import { createTestClock } from '../support/test-clock.ts';

const clock = createTestClock();
const terms = { issuer: 'https://identity.example.com', audience: 'a', lifetimeSeconds: 60 };

/** What a session says of itself: the claims of the token that STS was shown for it. */
function claimsOf(token: string): string {
  return Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
}

const request = fc.record({
  caller: fc.nat(20),
  team: fc.nat(3),
  form: fc.constantFrom('caller', 'broker'),
  role: fc.nat(2),
});
type Asked = typeof request extends fc.Arbitrary<infer Value> ? Value : never;

function callFor({ caller, team, form, role }: Asked): PlannedCall {
  const broker = form === 'broker';
  return planned({
    caller: { subject: `subject-${caller}`, clientId: `subject-${caller}` },
    roleArn: `arn:aws:iam::123456789012:role/role-${role}`,
    identity: broker ? 'broker' : 'caller',
    attribution: broker
      ? {
          tags: [{ key: 'team', value: `team-${team}`, claim: 'custom:team' }],
          transitiveTagKeys: [],
          sourceIdentity: { value: `subject-${caller}`, claim: 'sub' },
        }
      : undefined,
  });
}

it('each session is of its form and has the tags of the caller, and no other’s (T148)', async () => {
  const signers = { current: new EphemeralTokenSigner() };
  const tokens = new TokenIssuer({ terms, signers, clock, timeoutMs: 60_000, maxInFlight: 1000 });
  await tokens.start();
  const said = new Map<string, string>();
  let count = 0;
  const forms = new WebIdentityForms({
    byDefault: 'caller',
    tokens,
    clock,
    audit: { record: () => Promise.resolve() },
    sts: {
      async issue({ roleArn }, token) {
        count += 1;
        const accessKeyId = `ASIA${String(count).padStart(16, '0')}`;
        said.set(accessKeyId, `${roleArn} ${claimsOf(token)}`);
        const expiresAt = clock.now() + 3_600_000;
        return {
          cached: false,
          session: {
            credentials: { accessKeyId, secretAccessKey: 's', sessionToken: 't', expiresAt },
            assumedRoleArn: roleArn,
            assumedRoleId: 'AROA',
            subject: undefined,
            audience: undefined,
            provider: undefined,
            packedPolicySize: undefined,
            stsRequestId: 'r',
            issuedAt: clock.now(),
          },
        };
      },
    },
  });
  const cache = new CredentialCache({ issuer: forms, clock, maxEntriesPerCaller: 64 });
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 60 }), async (all) => {
      const answers = await Promise.all(
        all.map(async (asked) => {
          const { plan, token } = callFor(asked);
          return { asked, plan, session: (await cache.issue(plan, token)).session };
        }),
      );
      for (const { asked, plan, session } of answers) {
        const words = said.get(session.credentials.accessKeyId) ?? '';
        expect(words.startsWith(plan.roleArn)).toBe(true);
        const own =
          asked.form === 'broker'
            ? `/client/subject-${asked.caller}"`
            : `"subject-${asked.caller}"`;
        expect(words).toContain(own);
        expect(words.includes(`team-${asked.team}`)).toBe(asked.form === 'broker');
        expect(session.webIdentity !== undefined).toBe(asked.form === 'broker');
      }
    }),
    runs(600),
  );
  tokens.stop();
}, 120_000);
