/** `GET /v1/status`: how this instance is, and what it has done since its start. */

import type { RouteHandler } from '../arrival.ts';
import { requireNoQuery } from '../query.ts';
import type { AdminLook } from './look.ts';

export interface InstanceStatus {
  readonly version: string;
  /** RFC 3339. */
  readonly startedAt: string;
  /** By what readiness goes, and `table`: whether it has answered lately. */
  readonly checks: readonly { readonly name: string; readonly ok: boolean }[];
  readonly policy: {
    readonly revision: number | null;
    /** Since the table last answered. */
    readonly ageSeconds: number | null;
    readonly mappings: number;
    readonly quarantined: number;
    /** Of the last edit, from the table to being in force here. */
    readonly lagSeconds: number | null;
  };
  /** Requests for credentials. */
  readonly requests: readonly { readonly outcome: string; readonly count: number }[];
  readonly refusals: readonly {
    readonly code: string;
    readonly reason: string;
    readonly count: number;
  }[];
  /** Tries of AssumeRoleWithWebIdentity. */
  readonly sts: readonly {
    readonly region: string;
    readonly result: string;
    readonly count: number;
  }[];
}

export interface ReadStatusOptions {
  readonly status: () => Promise<InstanceStatus>;
  readonly look: AdminLook;
}

export function readStatus({ status, look }: ReadStatusOptions): RouteHandler {
  return look(async ({ req }) => {
    requireNoQuery(req);
    return { document: await status() };
  });
}
