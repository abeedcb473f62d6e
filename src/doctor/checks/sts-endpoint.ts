/** The endpoints of STS that the configuration names, as seen from this machine. */

import type { AwsEndpoint } from '../../aws/hermetic-settings.ts';
import { type Check, ofEach } from '../check.ts';
import type { Examination } from '../examination.ts';
import { type Finding, fail, pass, unknown } from '../finding.ts';
import { greetSts } from '../sts-answer.ts';

export const stsEndpoint: Check = {
  about: 'that each STS endpoint of the configuration answers',
  permissions: [],
  run: (examination) =>
    ofEach(examination.config.sts.endpoints, (one) => endpointFinding(one, examination)),
};

async function endpointFinding(at: AwsEndpoint, examination: Examination): Promise<Finding> {
  const answer = await greetSts(at, examination);
  if (typeof answer !== 'string') return pass(answer.url, 'answers as STS does');
  const cure =
    at.endpoint === undefined
      ? `Let this machine reach it by https, or correct sts.endpoints in the configuration: ${at.region} must be a region that exists and is switched on.`
      : 'Run it where the broker runs: an endpoint of a VPC is not reached from elsewhere. If that is here, correct sts.endpoints, or the security group and the policy of the endpoint.';
  return fail(at.endpoint ?? at.region, answer, [cure]);
}

/** STS tolerates 300 s, and signed requests too. */
const worrying = 30;
const tooFar = 240;

export const clock: Check = {
  about: 'the clock of this machine, by the Date of STS',
  permissions: [],
  async run(examination) {
    const subject = 'the clock of this machine';
    const answers = await Promise.all(
      examination.config.sts.endpoints.map((one) => greetSts(one, examination)),
    );
    const dated = answers.find((one) => typeof one !== 'string' && one.date !== undefined);
    if (dated === undefined || typeof dated === 'string' || dated.date === undefined) {
      return [unknown(subject, 'no endpoint of STS said what time it is')];
    }
    const off = Math.round((dated.here - dated.date) / 1000);
    const detail = `is ${Math.abs(off)} s ${off < 0 ? 'behind' : 'ahead of'} that of STS`;
    const cure = [
      'Have it follow a time server, such as 169.254.169.123 in EC2: timedatectl set-ntp true',
    ];
    if (Math.abs(off) >= tooFar) return [fail(subject, detail, cure)];
    return [pass(subject, detail, Math.abs(off) >= worrying ? cure : undefined)];
  },
};
