/**
 * Whether the trust policy of each role lets in more than its mappings need: whoever else comes in does so without the broker, its
 * mappings and its audit log.
 */

import type { TrustPolicy, TrustRequest } from '../../iam-policy/trust-policy.ts';
import { namesAction, trustVerdict } from '../../iam-policy/trust-policy.ts';
import { providerName } from '../../web-identity/trust-policy.ts';
import { type Check, ofEach } from '../check.ts';
import type { Examination, ExaminedRole } from '../examination.ts';
import { type Finding, fail, pass, unknown, unreadFinding } from '../finding.ts';
import { assumeAction, type ProvenNeed } from '../role-needs.ts';
import { readRoleTrust, statementName } from '../role-trust.ts';
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
  const cure = () => trustCure(role, trust.value, examination.sources);
  const open = wideOpen(policy);
  if (open !== undefined) return [fail(role.arn, open, cure())];
  const probes = role.needs.flatMap((need) => strangersOf(need, role, policy));
  const verdicts = probes.map((probe) => ({
    ...probe,
    verdict: trustVerdict(policy, probe.request),
  }));
  const intruder = verdicts.find(({ verdict }) => verdict === 'allowed');
  if (intruder !== undefined) return [fail(role.arn, `lets in ${intruder.who}`, cure())];
  const perhaps = verdicts.find(({ verdict }) => verdict === 'undecided');
  if (perhaps !== undefined) {
    const detail = `nothing but conditions that cannot be judged here keeps out ${perhaps.who}`;
    return [unknown(role.arn, detail, cure())];
  }
  return [pass(role.arn, 'lets in nobody else that was tried', advice(role, policy))];
}

/** Anybody in any account, whatever the circumstances. */
function wideOpen(policy: TrustPolicy): string | undefined {
  const index = policy.findIndex(
    ({ effect, anyone, conditions }) => effect === 'Allow' && anyone && conditions.length === 0,
  );
  const found = policy[index];
  return found && `${statementName(found, index)} is for Principal "*", without any condition`;
}

interface Probe {
  readonly who: string;
  readonly request: TrustRequest;
}

/** Nobody's client and nobody's subject: no pattern that is meant for somebody matches it by accident. */
const nobody = 'token-broker-doctor-nobody';

function strangersOf(need: ProvenNeed, role: ExaminedRole, policy: TrustPolicy): readonly Probe[] {
  const { form, issuer, request } = need;
  const name = providerName(issuer).toLowerCase();
  const asking = (changes: Readonly<Record<string, string | undefined>>): TrustRequest => {
    const context = new Map(request.context);
    const openKeys = new Set(request.openKeys);
    for (const [key, value] of Object.entries(changes)) {
      openKeys.delete(key);
      if (value === undefined) context.delete(key);
      else context.set(key, [value]);
    }
    return { ...request, action: assumeAction, context, openKeys };
  };
  const alike = role.needs.filter((one) => one.issuer === issuer);
  const own = new Set(alike.map(({ audience }) => audience));
  const audiences = [nobody, ...witnesses(policy, `${name}:aud`)].filter((one) => !own.has(one));
  const subjects = new Set(alike.map(({ subject }) => subject));
  const pinned = form === 'caller' && !subjects.has(undefined);
  const others = pinned ? [nobody, ...witnesses(policy, `${name}:sub`)] : [];
  return [
    ...audiences.map((audience) => ({
      who: `tokens of other app clients of ${issuer}, such as one with the audience ${audience}`,
      request: asking({ [`${name}:aud`]: audience, [`${name}:oaud`]: audience }),
    })),
    ...others
      .filter((subject) => !subjects.has(subject))
      .map((subject) => ({
        who: `other subjects of ${issuer}, such as ${subject}`,
        request: asking({ [`${name}:sub`]: subject }),
      })),
    ...(form === 'broker'
      ? [
          {
            who: 'tokens of the broker that do not name this role: it has no condition on sts:RoleAuthorizedByIdp',
            request: asking({ 'sts:roleauthorizedbyidp': undefined }),
          },
        ]
      : []),
  ];
}

/** For each pattern that is compared with the key, a text that it takes and nobody had in mind. */
function witnesses(policy: TrustPolicy, key: string): readonly string[] {
  return policy
    .filter(({ effect }) => effect === 'Allow')
    .flatMap(({ conditions }) => conditions)
    .filter((test) => test.key === key && /Like/.test(test.name))
    .flatMap(({ values }) => values)
    .filter((value) => /[*?]/.test(value))
    .map((pattern) => pattern.replaceAll('*', nobody).replaceAll('?', 'x'));
}

function advice({ needs }: ExaminedRole, policy: TrustPolicy): readonly string[] | undefined {
  const pinned = policy.some(({ conditions }) =>
    conditions.some(({ key }) => key === 'aws:sourcevpce' || key === 'aws:sourcevpc'),
  );
  const byToken = needs.some(({ form }) => form === 'caller');
  const others = policy
    .filter((one) => one.effect === 'Allow' && namesAction(one, 'sts:AssumeRole'))
    .flatMap((one) => (one.others.length > 0 ? one.others : one.anyone ? ['*'] : []));
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
