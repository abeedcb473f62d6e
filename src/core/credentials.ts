/** Session credentials, and what STS said about the session they belong to. */

export interface SessionCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Epoch milliseconds, as STS gave it: never computed from the duration. */
  readonly expiresAt: number;
}

/** Names a token that the broker issued, and that is kept nowhere. */
export interface IssuedWebIdentity {
  /** `jti` */
  readonly id: string;
  /** `kid` */
  readonly keyId: string;
  /** Lower-case hex SHA-256 of the token. */
  readonly sha256: string;
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
  /** The token of the broker that STS was shown; absent where it was the caller's own. */
  readonly webIdentity?: IssuedWebIdentity | undefined;
  /** Epoch milliseconds at which STS answered. */
  readonly issuedAt: number;
}

/** One object for all hits of a cache entry. */
export interface IssueResult {
  readonly session: IssuedSession;
  readonly cached: boolean;
}
