/**
 * What a caller may ask of a session that is allowed already. A wish changes the name and the session policy
 * and nothing else: the role, the duration and whose session it is stay as they were decided.
 *
 * STS gives a session what the role allows and at least one of its session policies allows, too. So a caller's
 * policy only ever narrows the role, but beside one of the mapping it would widen that: a mapping has one or
 * takes one, never both (checked in mapping-check.ts).
 */

import { hash } from 'node:crypto';
import type { Caller } from '../caller.ts';
import type { Fault } from '../fault.ts';
import { remember } from '../remember.ts';
import { readCallerPolicy } from './caller-policy.ts';
import type { SessionPlan } from './session.ts';
import { renderSessionName, takesRequestedName } from './session-name.ts';
import type { SessionSource } from './session-settings.ts';

export interface SessionWishes {
  /** RoleSessionName that the caller would like; it counts where the mapping's template has `{requested}`. */
  readonly sessionName?: string | undefined;
  /** Session policy of the caller, as JSON text; only where the mapping takes one. */
  readonly policy?: string | undefined;
  /** ARNs of managed policies of the caller; only where the mapping takes a session policy. */
  readonly policyArns?: readonly string[] | undefined;
}

export type WishedSession =
  | { readonly kind: 'planned'; readonly session: SessionPlan }
  | { readonly kind: 'policy_not_allowed' }
  | { readonly kind: 'policy_invalid'; readonly faults: readonly Fault[] };

/**
 * `session` as it was planned by this mapping, with the wishes that count. Pure in its arguments; remembered
 * because clients repeat their wishes with every request.
 */
export function wishedSession(
  source: SessionSource,
  session: SessionPlan,
  wishes: SessionWishes,
): WishedSession {
  const { callerPolicy, name } = source.mapping.session;
  const ownPolicy = bringsPolicy(wishes);
  if (ownPolicy && callerPolicy !== true) return { kind: 'policy_not_allowed' };
  const ownName = wishes.sessionName !== undefined && takesRequestedName(name);
  // SDKs make up a new name each time: where it does not count, it must not cost anything either.
  if (!ownPolicy && !ownName) return { kind: 'planned', session };

  const counting = ownName ? wishes : { ...wishes, sessionName: undefined };
  const known = wishedOf(source)(session.caller);
  const key = digestOf(session.durationSeconds, counting);
  let wished = known.get(key);
  if (wished === undefined) {
    wished = grant(source, session, counting);
    // A caller may wish for anything: remember only as many answers as honest callers need.
    if (known.size >= maxWishesRemembered) known.clear();
    known.set(key, wished);
  }
  return wished;
}

export function bringsPolicy({ policy, policyArns = [] }: SessionWishes): boolean {
  return policy !== undefined || policyArns.length > 0;
}

const maxWishesRemembered = 8;

/** By mapping, caller, duration and wishes. */
const wishedOf = remember((_source: SessionSource) =>
  remember((_caller: Caller) => new Map<string, WishedSession>()),
);

/** Of texts that may be long. */
function digestOf(
  durationSeconds: number,
  { sessionName, policy, policyArns }: SessionWishes,
): string {
  const text = JSON.stringify([durationSeconds, sessionName, policy, policyArns]);
  return hash('sha256', text, 'base64');
}

function grant(
  { mapping }: SessionSource,
  session: SessionPlan,
  wishes: SessionWishes,
): WishedSession {
  const { caller, mappingId } = session;
  const { sessionName } = wishes;
  const named =
    sessionName === undefined
      ? session
      : {
          ...session,
          sessionName: renderSessionName(mapping.session.name, caller, mappingId, sessionName),
        };
  if (!bringsPolicy(wishes)) return { kind: 'planned', session: named };
  const own = readCallerPolicy(wishes.policy, wishes.policyArns ?? [], mapping.role);
  if (own.kind === 'invalid') return { kind: 'policy_invalid', faults: own.faults };
  const { policy, policyArns } = own;
  const policySha256 = policy && hash('sha256', policy, 'hex');
  return { kind: 'planned', session: { ...named, policy, policySha256, policyArns } };
}
