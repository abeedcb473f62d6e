/** Whether the trust policy of each role lets in what its mappings need, judged as STS judges it. */

import { testVerdict } from '../../iam-policy/trust-conditions.ts';
import {
  namesAction,
  namesProvider,
  statementVerdict,
  type TrustPolicy,
  type TrustRequest,
  type TrustStatement,
  trustVerdict,
} from '../../iam-policy/trust-policy.ts';
import { type Check, ofEach } from '../check.ts';
import type { Examination, ExaminedRole } from '../examination.ts';
import { type Finding, fail, pass, unknown, unreadFinding } from '../finding.ts';
import { withOpenKeys } from '../open-keys.ts';
import type { ProvenNeed } from '../role-needs.ts';
import { type RoleTrust, readRoleTrust, statementName } from '../role-trust.ts';
import { sampleNeed } from '../sample-need.ts';
import { creationCure, trustCure } from '../trust-cure.ts';

export const trustPolicyLetsIn: Check = {
  about: 'that the trust policy of each role lets in what its mappings need',
  permissions: ['iam:GetRole'],
  run: (examination) => ofEach(examination.examined, (role) => roleFinding(role, examination)),
};

async function roleFinding(role: ExaminedRole, examination: Examination): Promise<Finding> {
  const { arn } = role;
  const { sources } = examination;
  if (role.mappings.length === 0) {
    return fail(arn, 'no role mapping in force allows this role', [
      'Correct --role, or write a mapping for it (docs/role-mappings.md).',
    ]);
  }
  if (role.needs.length === 0) {
    return fail(arn, 'the configuration has no issuer for its mappings', [
      'List the pool of the mapping under identity in the configuration, or configure webIdentity.',
    ]);
  }
  const trust = await readRoleTrust(role, examination);
  if (trust.kind === 'absent') {
    const detail = 'there is no such role: STS says AccessDenied, as for one that does not trust';
    return fail(arn, detail, creationCure(role, sources));
  }
  if (trust.kind === 'unread') return unreadFinding(arn, trust);
  return trustFinding(role, trust.value, examination);
}

function trustFinding(
  role: ExaminedRole,
  trust: RoleTrust,
  { sources, token }: Examination,
): Finding {
  const { arn } = role;
  const shown = token === undefined ? undefined : sampleNeed(role, token);
  const judged = [...(shown === undefined ? [] : [shown]), ...role.needs].map((need) => {
    const { verdict, why } = judge(trust.policy, need);
    return { verdict, why: `${whose(need)}: ${why}` };
  });
  const denied = judged.find(({ verdict }) => verdict === 'denied');
  if (denied !== undefined) return fail(arn, denied.why, trustCure(role, trust, sources));
  const undecided = judged.find(({ verdict }) => verdict === 'undecided');
  if (undecided !== undefined) return unknown(arn, undecided.why, [howToDecide]);
  return pass(arn, `lets in what ${names(role)} need${role.mappings.length === 1 ? 's' : ''}`);
}

const howToDecide =
  'Say your VPC endpoint with --source-vpce, show a token of the caller with --token-file, or try it with --try.';

function whose({ mapping, audience }: ProvenNeed): string {
  return `mapping ${mapping.id}, audience ${audience}`;
}

function names({ mappings }: ExaminedRole): string {
  return mappings.map(({ id }) => id).join(', ');
}

interface Judgement {
  readonly verdict: ReturnType<typeof trustVerdict>;
  readonly why: string;
}

/** Of all the actions that STS asks about, the first that is not allowed. */
function judge(policy: TrustPolicy, { actions, request }: ProvenNeed): Judgement {
  let undecided: Judgement | undefined;
  for (const action of actions) {
    const asked = withOpenKeys(policy, { ...request, action });
    const verdict = trustVerdict(policy, asked);
    if (verdict === 'denied') return { verdict, why: whyDenied(policy, asked) };
    if (verdict === 'undecided') undecided ??= { verdict, why: whyUndecided(policy, asked) };
  }
  return undecided ?? { verdict: 'allowed', why: '' };
}

function whyDenied(policy: TrustPolicy, request: TrustRequest): string {
  const { action, federatedArn } = request;
  const deny = policy.findIndex(
    (one) => one.effect === 'Deny' && statementVerdict(one, request) === 'match',
  );
  const found = policy[deny];
  if (found !== undefined) return `${action} is denied by ${statementName(found, deny)}`;
  const about = policy.filter((one) => one.effect === 'Allow' && namesProvider(one, federatedArn));
  if (about.length === 0) {
    const named = [...new Set(policy.flatMap(({ federated }) => federated))];
    const instead = named.length === 0 ? '' : `; it names ${named.join(', ')}`;
    return `no statement names the provider ${federatedArn}${instead}`;
  }
  const acting = about.filter((one) => namesAction(one, action));
  if (acting.length === 0) return `no statement for the provider allows ${action}`;
  return `${action}: ${acting.map((one) => failingTests(one, request)).join('; or ')}`;
}

function whyUndecided(policy: TrustPolicy, request: TrustRequest): string {
  const tests = policy
    .filter((one) => statementVerdict(one, request) === 'unknown')
    .flatMap(({ conditions }) => conditions)
    .filter((test) => testVerdict(test, request) === 'unknown')
    .map(({ name, key, values }) => `${name} ${key}: ${values.join(', ')}`);
  return `${request.action} depends on ${[...new Set(tests)].join('; ')}`;
}

/** The conditions of a statement that do not hold, and what STS would see. */
function failingTests({ conditions }: TrustStatement, request: TrustRequest): string {
  return conditions
    .filter((test) => testVerdict(test, request) === 'no_match')
    .map(({ name, key, values }) => {
      const seen = request.context.get(key)?.join(', ') ?? 'nothing';
      return `${name} ${key} wants ${values.join(', ')}, and STS sees ${seen}`;
    })
    .join(', and ');
}
