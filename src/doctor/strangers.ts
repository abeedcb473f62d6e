/** Requests with tokens of the providers of a role that none of its mappings is for. */

import type { TrustPolicy, TrustRequest } from '../iam-policy/trust-policy.ts';
import { providerName } from '../web-identity/trust-policy.ts';
import type { ExaminedRole } from './examination.ts';
import { testedKeys, withOpenKeys } from './open-keys.ts';
import { assumeAction, type ProvenNeed } from './role-needs.ts';
import { nobody, saidValues } from './said-values.ts';

export interface Probe {
  readonly who: string;
  readonly request: TrustRequest;
}

/** Seconds, for a long policy. One that IAM stores has fewer, but for odd ones. */
const mostProbes = 20_000;

/** Undefined where there are more than can be tried. */
export function strangers(role: ExaminedRole, policy: TrustPolicy): Iterable<Probe> | undefined {
  const groups = [...new Map(role.needs.map((need) => [need.issuer, need])).values()].map(
    (need) => ({ need, choices: choicesOf(need, role, policy) }),
  );
  const probes = groups.reduce((sum, { choices }) => sum + countOf(choices), 0);
  if (probes > mostProbes) return undefined;
  return (function* () {
    for (const { need, choices } of groups) yield* probesOf(need, choices, policy);
    for (const need of role.needs) if (need.form === 'broker') yield unbound(need, policy);
  })();
}

interface Choices {
  readonly own: readonly string[];
  /** Of others. */
  readonly audiences: readonly string[];
  /** Undefined among them: of anybody. */
  readonly ownSubjects: readonly (string | undefined)[];
  /** Of others; none where the mappings are for any. */
  readonly subjects: readonly string[];
}

function choicesOf({ issuer, form }: ProvenNeed, role: ExaminedRole, policy: TrustPolicy): Choices {
  const name = nameOf(issuer);
  const alike = role.needs.filter((one) => one.issuer === issuer);
  const own = [...new Set(alike.map(({ audience }) => audience))];
  const ownSubjects = [...new Set(alike.map(({ subject }) => subject))];
  const pinned = form === 'caller' && !ownSubjects.includes(undefined);
  const said = ['aud', 'oaud'].flatMap((claim) => saidValues(policy, `${name}:${claim}`));
  const others = [nobody, ...new Set(said)];
  const subjects = pinned ? [nobody, ...saidValues(policy, `${name}:sub`)] : [];
  return {
    own,
    audiences: others.filter((one) => !own.includes(one)),
    ownSubjects: pinned ? ownSubjects : [undefined],
    subjects: subjects.filter((one) => !ownSubjects.includes(one)),
  };
}

function countOf({ own, audiences, ownSubjects, subjects }: Choices): number {
  const originals = 1 + own.length;
  return (
    audiences.length * (ownSubjects.length + subjects.length + 1) * originals +
    subjects.length * own.length
  );
}

function* probesOf(
  need: ProvenNeed,
  { own, audiences, ownSubjects, subjects }: Choices,
  policy: TrustPolicy,
): Generator<Probe> {
  const { issuer } = need;
  const name = nameOf(issuer);
  const asking = (audience: string, subject: string | undefined, original = audience) =>
    changed(need, policy, {
      [`${name}:aud`]: audience,
      [`${name}:oaud`]: original,
      ...(subject === undefined ? {} : { [`${name}:sub`]: subject }),
    });
  // The claim `aud` can have ours in it where `azp` is another's.
  const originals = testedKeys(policy).includes(`${name}:oaud`) ? own : [];
  for (const audience of audiences) {
    const who = `tokens of other app clients of ${issuer}, such as one with the audience ${audience}`;
    const alike = subjects.length === 0 ? [] : [audience];
    for (const subject of [...ownSubjects, ...subjects, ...alike]) {
      for (const original of [audience, ...originals]) {
        yield { who, request: asking(audience, subject, original) };
      }
    }
  }
  for (const subject of subjects) {
    const who = `other subjects of ${issuer}, such as ${subject}`;
    for (const audience of own) yield { who, request: asking(audience, subject) };
  }
}

function unbound(need: ProvenNeed, policy: TrustPolicy): Probe {
  return {
    who: 'tokens of the broker that do not name this role: it has no condition on sts:RoleAuthorizedByIdp',
    request: changed(need, policy, { 'sts:roleauthorizedbyidp': undefined }),
  };
}

/** The request of a mapping with other values; undefined takes one away. */
function changed(
  { request }: ProvenNeed,
  policy: TrustPolicy,
  changes: Readonly<Record<string, string | undefined>>,
): TrustRequest {
  const context = new Map(request.context);
  const openKeys = new Set(request.openKeys);
  for (const [key, value] of Object.entries(changes)) {
    openKeys.delete(key);
    if (value === undefined) context.delete(key);
    else context.set(key, [value]);
  }
  return withOpenKeys(policy, { ...request, action: assumeAction, context, openKeys });
}

function nameOf(issuer: string): string {
  return providerName(issuer).toLowerCase();
}
