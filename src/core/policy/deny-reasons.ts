/** Why a decision is a denial: a closed set, in the order of docs/errors.md. */

import { conditions } from './conditions/conditions.ts';

export const denyReasons = [
  'no_mapping',
  'explicit_deny',
  ...Object.values(conditions).map(({ reason }) => reason),
  'claim_unsafe',
] as const;
export type DenyReason = (typeof denyReasons)[number];
