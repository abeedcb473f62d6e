import type { Caller } from '../core/caller.ts';
import type { SessionPlan } from '../core/session/session.ts';

/** What one exchange needs to know of a session plan. */
export interface WebIdentityRequest
  extends Pick<
    SessionPlan,
    'roleArn' | 'sessionName' | 'durationSeconds' | 'policy' | 'policyArns'
  > {
  /** STS must name the same subject in its answer. */
  readonly caller: Pick<Caller, 'subject'> & Partial<Pick<Caller, 'audience'>>;
}
