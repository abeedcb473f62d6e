/** One real exchange, as the broker would make it: what STS says of all that was looked at, in one sentence. */

import { AssumeRoleWithWebIdentityCommand, type STSClient } from '@aws-sdk/client-sts';
import { minDurationSeconds } from '../../core/aws-names.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import { withDeadline } from '../../kit/timing/with-deadline.ts';
import { createStsClient } from '../../sts/sts-client.ts';
import { classifyStsError } from '../../sts/sts-errors.ts';
import type { Check } from '../check.ts';
import type { ExaminedRole } from '../examination.ts';
import { type Finding, fail, pass, unknown } from '../finding.ts';
import type { SampleToken } from '../sample-token.ts';

/** For the one call. */
const timeoutMs = 10_000;
const oneAtATime = { connectTimeoutMs: 2_000, maxSockets: 1 };
/** As CloudTrail will have it. */
const sessionName = 'token-broker-doctor';

export const exchange: Check = {
  about: 'one real exchange of the sample token for each role, with --try',
  permissions: [],
  async run({ tries, token, examined, config, clock }) {
    if (!tries || token === undefined) return [];
    const [first] = config.sts.endpoints;
    if (first === undefined) return [unknown('STS', 'the configuration has no endpoint of it')];
    const client = createStsClient({ ...oneAtATime, ...first });
    try {
      const findings: Finding[] = [];
      // One after the other: STS limits what comes at once.
      for (const role of examined) findings.push(await roleFinding(role, { token, client, clock }));
      return findings;
    } finally {
      client.destroy();
    }
  },
};

interface Trial {
  readonly token: SampleToken;
  readonly client: STSClient;
  readonly clock: Clock;
}

async function roleFinding(role: ExaminedRole, { token, client, clock }: Trial): Promise<Finding> {
  const { arn } = role;
  if (role.needs.length > 0 && role.needs.every(({ form }) => form === 'broker')) {
    return unknown(arn, 'STS is shown a token of the broker, which the broker alone can make', [
      'Ask the broker itself: POST /v1/credentials with the token of the caller.',
    ]);
  }
  try {
    const command = new AssumeRoleWithWebIdentityCommand({
      RoleArn: arn,
      RoleSessionName: sessionName,
      WebIdentityToken: token.text,
      DurationSeconds: minDurationSeconds,
    });
    await withDeadline({ clock, timeoutMs }, (abortSignal) =>
      client.send(command, { abortSignal }),
    );
    // The credentials are in nobody's hands: they are not even looked at.
    return pass(arn, `STS gives a session for the sample token (${sessionName} in CloudTrail)`);
  } catch (error) {
    const { kind, error: refusal } = classifyStsError(error);
    const said = `STS refuses the sample token: ${refusal.code}`;
    const { detail = 'See what the other checks say.' } = refusal;
    if (kind === 'refused') return fail(arn, said, [detail]);
    return unknown(arn, said, [detail]);
  }
}
