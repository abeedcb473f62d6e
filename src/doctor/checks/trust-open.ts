/**
 * Whether the trust policy of each role lets in more than its mappings need: whoever else comes in does so without the broker, its
 * mappings and its audit log.
 */

import { namesAction, type TrustPolicy, trustVerdict } from '../../iam-policy/trust-policy.ts';
import { type Check, ofEach } from '../check.ts';
import { forEverybody } from '../everybody.ts';
import type { Examination, ExaminedRole } from '../examination.ts';
import { type Finding, fail, pass, unknown, unreadFinding } from '../finding.ts';
import { otherProviders } from '../other-providers.ts';
import { readRoleTrust } from '../role-trust.ts';
import { type Probe, strangers } from '../strangers.ts';
import { trustCure } from '../trust-cure.ts';

export const trustPolicyIsClosed: Check = {
  about: 'that the trust policy of each role lets in nobody else',
  permissions: ['iam:GetRole'],
  run: (examination) => ofEach(examination.examined, (role) => roleFindings(role, examination)),
};

async function roleFindings(
  role: ExaminedRole,
  examination: Examination,
): Promise<readonly Finding[]> {
  if (role.needs.length === 0) return [];
  const trust = await readRoleTrust(role, examination);
  if (trust.kind === 'absent') return [];
  if (trust.kind === 'unread') return [unreadFinding(role.arn, trust)];
  const { policy } = trust.value;
  const everybody = forEverybody(policy);
  const others = otherProviders(role, policy, examination);
  const intruders = others.filter(({ who }) => who !== undefined);
  const cure = () =>
    trustCure(role, trust.value, examination.sources, {
      providers: new Set(intruders.map(({ provider }) => provider)),
      statements: new Set(
        everybody.flatMap(({ status, statement }) => (status === 'fail' ? [statement] : [])),
      ),
    });
  const open = everybody.find(({ status }) => status === 'fail');
  if (open !== undefined) return [fail(role.arn, open.detail, cure())];
  const [intruder] = intruders;
  if (intruder !== undefined) return [fail(role.arn, `lets in ${intruder.who}`, cure())];
  const probes = strangers(role, policy);
  if (probes === undefined) {
    const detail = 'its trust policy names more audiences and subjects than are tried here';
    return [unknown(role.arn, detail, cure())];
  }
  const tried = tryAll(probes, policy);
  if (tried.allowed !== undefined) return [fail(role.arn, `lets in ${tried.allowed.who}`, cure())];
  if (tried.undecided !== undefined) {
    const detail = `nothing but conditions that cannot be judged here keeps out ${tried.undecided.who}`;
    return [unknown(role.arn, detail, cure())];
  }
  const perhaps = everybody.find(({ status }) => status === 'unknown');
  if (perhaps !== undefined) return [unknown(role.arn, perhaps.detail, [nameThem])];
  const trusted = others.map(({ provider }) => provider);
  return [pass(role.arn, 'lets in nobody else that was tried', advice(role, policy, trusted))];
}

const nameThem =
  'Have Principal name the accounts or roles that are meant, in the place of everybody.';

/** The first of each kind. */
function tryAll(probes: Iterable<Probe>, policy: TrustPolicy) {
  let undecided: Probe | undefined;
  for (const probe of probes) {
    const verdict = trustVerdict(policy, probe.request);
    if (verdict === 'allowed') return { allowed: probe, undecided };
    if (verdict === 'undecided') undecided ??= probe;
  }
  return { allowed: undefined, undecided };
}

function advice(
  { needs }: ExaminedRole,
  policy: TrustPolicy,
  providers: readonly string[],
): readonly string[] | undefined {
  const pinned = policy.some(({ conditions }) =>
    conditions.some(({ key }) => key === 'aws:sourcevpce' || key === 'aws:sourcevpc'),
  );
  const byToken = needs.some(({ form }) => form === 'caller');
  const principals = policy
    .filter((one) => one.effect === 'Allow' && namesAction(one, 'sts:AssumeRole'))
    .flatMap((one) => (one.others.length > 0 ? one.others : one.anyone ? ['*'] : []));
  const others = [...principals, ...providers];
  const told = [
    ...(byToken && !pinned
      ? [
          'Whoever holds such a token also gets in without the broker: pin aws:SourceVpce (token-broker trust-policy --source-vpce), or have the broker issue the tokens.',
        ]
      : []),
    ...(others.length > 0
      ? [
          `It also trusts ${[...new Set(others)].join(', ')}: sessions of these are not the broker's.`,
        ]
      : []),
  ];
  return told.length === 0 ? undefined : told;
}
