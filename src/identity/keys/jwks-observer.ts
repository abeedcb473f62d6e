export interface JwksFetchEvent {
  readonly issuer: string;
  readonly jwksUri: string;
  readonly result: 'ok' | 'failed';
  readonly durationMs: number;
  readonly error?: unknown;
}

export interface JwksStoreEvent {
  readonly issuer: string;
  readonly operation: 'read' | 'write';
  readonly error: unknown;
}

/** For metrics and logs. Must not throw. */
export interface JwksObserver {
  onFetch?(event: JwksFetchEvent): void;
  /** A stored key set could not be read or written; service goes on without it. */
  onStoreFailed?(event: JwksStoreEvent): void;
}
