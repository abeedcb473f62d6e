/** Session credentials, and what STS said about the session they belong to. */

export interface SessionCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Epoch milliseconds, as STS gave it: never computed from the duration. */
  readonly expiresAt: number;
}

/** One answer of AssumeRoleWithWebIdentity, checked. Immutable: wire forms may keep printed copies beside it. */
export interface IssuedSession {
  readonly credentials: SessionCredentials;
  /** `arn:aws:sts::<account>:assumed-role/<role name>/<session name>` */
  readonly assumedRoleArn: string;
  /** `AROA…:<session name>`: joins the audit record with CloudTrail. */
  readonly assumedRoleId: string;
  readonly subject: string | undefined;
  readonly audience: string | undefined;
  readonly provider: string | undefined;
  /** Per cent of the packed size limit; present when a session policy was sent. */
  readonly packedPolicySize: number | undefined;
  /** Undefined: it was lost between STS and here. */
  readonly stsRequestId: string | undefined;
  /** Epoch milliseconds at which STS answered. */
  readonly issuedAt: number;
}

/** One object for all hits of a cache entry. */
export interface IssueResult {
  readonly session: IssuedSession;
  readonly cached: boolean;
}
