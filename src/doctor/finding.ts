/** What a check says of one thing that it looked at. */

export interface Finding {
  /** What was looked at: a role, an issuer, a key. */
  readonly subject: string;
  /** `unknown`: it was not looked at, or what was seen does not decide. */
  readonly status: 'pass' | 'fail' | 'unknown';
  readonly detail: string;
  /** The IAM action that the credentials lack. */
  readonly missingPermission?: string;
  /** What to do, in order; a line that begins with `aws ` is a command to paste. */
  readonly cure?: readonly string[] | undefined;
}

export function pass(subject: string, detail: string, cure?: readonly string[]): Finding {
  return { subject, status: 'pass', detail, cure };
}

export function fail(subject: string, detail: string, cure: readonly string[]): Finding {
  return { subject, status: 'fail', detail, cure };
}

export function unknown(subject: string, detail: string, cure?: readonly string[]): Finding {
  return { subject, status: 'unknown', detail, cure };
}

/** What was asked of AWS, and came or not. */
export type Reading<Value> =
  | { readonly kind: 'read'; readonly value: Value }
  /** The service says that there is no such thing. */
  | { readonly kind: 'absent' }
  | Unread;

export interface Unread {
  readonly kind: 'unread';
  readonly why: string;
  readonly missingPermission?: string;
}

export function unreadFinding(subject: string, { why, missingPermission }: Unread): Finding {
  return {
    subject,
    status: 'unknown',
    detail: why,
    ...(missingPermission === undefined
      ? {}
      : {
          missingPermission,
          cure: [`Run it with credentials that may ${missingPermission}: it only reads.`],
        }),
  };
}
