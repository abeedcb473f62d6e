/** The session that an allowed request may get: everything that AssumeRoleWithWebIdentity will be asked for. */

import { createHash } from 'node:crypto';
import type { Caller } from '../caller.ts';
import { type Attribution, renderAttribution, type UnsafeClaim } from './attribution.ts';
import { renderSessionName } from './session-name.ts';
import { renderSessionPolicy } from './session-policy.ts';
import type { IdentityForm, SessionSource } from './session-settings.ts';

export interface SessionPlan {
  readonly caller: Caller;
  readonly mappingId: string;
  readonly mappingVersion: number;
  readonly roleArn: string;
  readonly sessionName: string;
  readonly durationSeconds: number;
  /** Minified, claims in place. */
  readonly policy: string | undefined;
  /** Lower-case hex SHA-256 of `policy`. */
  readonly policySha256: string | undefined;
  readonly policyArns: readonly string[];
  /** Which web identity token STS is shown; undefined: as the configuration says. */
  readonly identity: IdentityForm | undefined;
  readonly attribution: Attribution | undefined;
}

/** Which web identity token STS is shown for it. */
export function identityOf(
  { identity }: Pick<SessionPlan, 'identity'>,
  byDefault: IdentityForm,
): IdentityForm {
  return identity ?? byDefault;
}

export type SessionPlanning =
  | { readonly kind: 'planned'; readonly session: SessionPlan }
  | UnsafeClaim;

/** Pure in its arguments; remembered because every warm request asks again. */
export function planSession(
  source: SessionSource,
  caller: Caller,
  durationSeconds: number,
): SessionPlanning {
  const known = plansOf.get(caller);
  for (const one of known ?? []) {
    if (one.source === source && one.durationSeconds === durationSeconds) return one.planning;
  }
  const planning = plan(source, caller, durationSeconds);
  const made = { source, durationSeconds, planning };
  // A caller may ask for any number of seconds: remember only as many answers as honest callers need.
  if (known === undefined || known.length >= maxPlansRemembered) plansOf.set(caller, [made]);
  else known.push(made);
  return planning;
}

interface RememberedPlan {
  readonly source: SessionSource;
  readonly durationSeconds: number;
  readonly planning: SessionPlanning;
}

const maxPlansRemembered = 16;

/** Lists, because nearly every caller asks for one role all the time; one that began empty would have room for 17. */
const plansOf = new WeakMap<Caller, RememberedPlan[]>();

function plan(
  { mapping, version }: SessionSource,
  caller: Caller,
  durationSeconds: number,
): SessionPlanning {
  let policy: string | undefined;
  if (mapping.session.policy !== undefined) {
    const rendered = renderSessionPolicy(mapping.session.policy, caller.claims);
    if (rendered.kind === 'unsafe_claim') return { ...rendered, ...unsafeInPolicy(rendered.claim) };
    policy = rendered.text;
  }
  const rendered = renderAttribution(mapping.session, caller.claims);
  if (rendered.kind === 'unsafe_claim') {
    return { ...rendered, pointer: `/session${rendered.pointer}` };
  }
  return {
    kind: 'planned',
    session: {
      caller,
      mappingId: mapping.id,
      mappingVersion: version,
      roleArn: mapping.role,
      sessionName: renderSessionName(mapping.session.name, caller, mapping.id),
      durationSeconds,
      policy,
      policySha256: policy && createHash('sha256').update(policy).digest('hex'),
      policyArns: mapping.session.policyArns,
      identity: mapping.session.identity,
      attribution: rendered.attribution,
    },
  };
}

function unsafeInPolicy(claim: string): Pick<UnsafeClaim, 'pointer' | 'expected'> {
  return {
    pointer: '/session/policy',
    expected: `claim ${claim}: one value of 1 to 128 of A-Z a-z 0-9 _ . @ = -`,
  };
}
