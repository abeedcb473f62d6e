import type { QueryParameters } from '../../src/sts-protocol/query-form.ts';
import { parseRoleArn } from './web-identity-request.ts';

/** One request, as far as it could be understood. Never holds a token or a secret. */
export interface LoggedStsCall {
  readonly action: string;
  readonly roleArn?: string;
  readonly roleSessionName?: string;
  readonly durationSeconds?: number;
  readonly policy?: string;
  readonly policyArns?: readonly string[];
  /** Known once the token is verified and trusted. */
  readonly subject?: string;
  /** `ok`, `pending` until answered, the wire code of an error, or `hang`, `reset`, `body` for a fault. */
  readonly code: string;
}

/** A call that is still being answered. */
export type CallDraft = { -readonly [Field in keyof LoggedStsCall]: LoggedStsCall[Field] };

const maxCalls = 1_000;

/** Bounded: when it is full, the oldest call is forgotten. */
export class StsCallLog {
  readonly #calls: LoggedStsCall[] = [];

  get calls(): readonly LoggedStsCall[] {
    return this.#calls;
  }

  /** The call is in the log from now on, and shows what is learnt about it. */
  start(): CallDraft {
    const call: CallDraft = { action: 'unknown', code: 'pending' };
    this.#calls.push(call);
    if (this.#calls.length > maxCalls) this.#calls.shift();
    return call;
  }
}

/** Logs what is well-formed; anything else might be a token that was put into the wrong parameter. */
export function describeCall(call: CallDraft, parameters: QueryParameters): void {
  const action = parameters.get('Action') ?? '';
  const roleArn = parameters.get('RoleArn') ?? '';
  const roleSessionName = parameters.get('RoleSessionName') ?? '';
  const duration = parameters.get('DurationSeconds') ?? '';
  const policy = parameters.get('Policy') ?? '';
  const arns = [...parameters].filter(([name]) => /^PolicyArns\.member\.\d+\.arn$/.test(name));
  if (/^[A-Za-z]{1,64}$/.test(action)) call.action = action;
  if (parseRoleArn(roleArn)) call.roleArn = roleArn;
  if (/^[\w+=,.@-]{2,64}$/.test(roleSessionName)) call.roleSessionName = roleSessionName;
  if (/^\d{1,5}$/.test(duration)) call.durationSeconds = Number(duration);
  if (policy.startsWith('{')) call.policy = policy.slice(0, 2048);
  if (arns.length > 0) call.policyArns = arns.map(([, arn]) => arn.slice(0, 2048));
}
