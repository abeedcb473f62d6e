/** Puts on record who looked at what, and who tried to: what nothing else of a request leaves a record of. */

import type { Caller } from '../core/caller.ts';
import { BrokerError } from '../core/errors.ts';
import type { AuditLog } from '../core/ports.ts';
import { auditedToken } from '../core/records/audited-token.ts';
import type { AccessRecord } from '../core/records/reading-records.ts';
import { recordedRequest } from '../core/records/recorded-request.ts';
import type { RequestContext } from '../core/request-context.ts';
import type { Clock } from '../kit/timing/clock.ts';
import type { AdmittedRequest } from './admission.ts';
import type { Arrival } from './arrival.ts';

export interface AccessParts {
  readonly audit: AuditLog;
  readonly clock: Clock;
}

/** Filled in as soon as a token has proven it: a refusal is recorded with it. */
export interface Looking {
  caller?: Caller;
}

export interface Look<Permitted, Seen> {
  /** @throws BrokerError unless whoever asks may look. */
  permit(req: AdmittedRequest, looking: Looking): Promise<Permitted>;
  /** What is there to be seen: it may wait for the rest of the request, or for the table. */
  see(permitted: Permitted): Seen | Promise<Seen>;
  /** Whether they may still, after whatever waited. @throws BrokerError */
  stillPermits(caller: Caller): void;
}

/**
 * Nothing is shown before its record is durable, or the one that it repeats, and nothing to whoever may not look any more by
 * then: nor what there is to be refused (T276, T340).
 *
 * @throws what `permit` throws, once that is on record; BrokerError `audit_unavailable`; what `see` throws.
 */
export async function recordAccess<Permitted, Seen>(
  { audit, clock }: AccessParts,
  listener: AccessRecord['listener'],
  { arrival, context }: { readonly arrival: Arrival; readonly context: RequestContext },
  { permit, see, stillPermits }: Look<Permitted, Seen>,
): Promise<Seen> {
  const looking: Looking = {};
  const record = (outcome: AccessRecord['outcome'], more: Partial<AccessRecord>) => {
    const time = new Date(clock.now()).toISOString();
    const token = looking.caller && auditedToken(looking.caller);
    const from = { time, ...recordedRequest(context) };
    return audit.record({ type: 'access', listener, ...from, outcome, token, ...more });
  };
  const refuse = async (error: unknown): Promise<never> => {
    const known = error instanceof BrokerError ? error : undefined;
    const outcome = known !== undefined && known.status < 500 ? 'refused' : 'failed';
    await record(outcome, { code: known?.code ?? 'internal_error' });
    throw error;
  };
  const permitted = await permit(arrival.admit(), looking).catch(refuse);
  await record('permitted', { asked: askedFor(arrival.admit().url) });
  const requireStill = async () => {
    try {
      if (looking.caller !== undefined) stillPermits(looking.caller);
    } catch (error) {
      await refuse(error);
    }
  };
  await requireStill();
  try {
    return await see(permitted);
  } finally {
    await requireStill();
  }
}

/**
 * A token that was put there by mistake must not get into the audit log (T33), and nothing but the token is left out: else
 * whoever wrote one into the path of a role would look unseen (T105). Admission bounds the length.
 */
export function askedFor(url: string): string {
  return url.replaceAll(/[\w.-]+/g, (run) => (looksLikeJwt(run) ? '[not kept]' : run));
}

/** Header and payload are JSON objects in base64url. */
function looksLikeJwt(run: string): boolean {
  const header = run.indexOf('eyJ');
  return header !== -1 && run.includes('.eyJ', header);
}
