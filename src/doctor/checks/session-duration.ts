import { type Check, ofEach } from '../check.ts';
import { awsCommand } from '../commands.ts';
import type { Examination, ExaminedRole } from '../examination.ts';
import { type Finding, fail, pass, unreadFinding } from '../finding.ts';

export const sessionDuration: Check = {
  about: 'that each role allows sessions as long as its mappings do',
  permissions: ['iam:GetRole'],
  run: (examination) => ofEach(examination.examined, (role) => durationFindings(role, examination)),
};

async function durationFindings(
  role: ExaminedRole,
  { account }: Examination,
): Promise<readonly Finding[]> {
  const { arn, name, mappings } = role;
  const read = await account.iam.role(arn, name);
  if (read.kind === 'absent') return [];
  if (read.kind === 'unread') return [unreadFinding(arn, read)];
  const { maxSessionSeconds } = read.value;
  const longest = (one: ExaminedRole['mappings'][number]) =>
    Math.max(one.session.durationSeconds, one.session.maxDurationSeconds);
  const tooLong = mappings.filter((one) => longest(one) > maxSessionSeconds);
  if (tooLong.length === 0) return [pass(arn, `sessions of ${maxSessionSeconds} s at most`)];
  const wanted = Math.max(...tooLong.map(longest));
  const names = tooLong.map(({ id }) => id).join(', ');
  const detail = `allows sessions of ${maxSessionSeconds} s, and ${names} up to ${wanted} s: STS says "The requested DurationSeconds exceeds the MaxSessionDuration set for this role"`;
  return [
    fail(arn, detail, [
      `Raise it, or lower session.durationSeconds and session.maxDurationSeconds of ${names} to ${maxSessionSeconds}:`,
      awsCommand('iam', 'update-role', '--role-name', name, '--max-session-duration', `${wanted}`),
    ]),
  ];
}
