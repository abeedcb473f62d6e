/** A principal as people say it: `client 4abc… of us-east-1_…` */

import { isJsonObject } from '../kit/json/json-object.ts';

/** Of what may be no sound principal; not yet printable. */
export function principalText(principal: unknown): string {
  if (!isJsonObject(principal)) return JSON.stringify(principal);
  const { pool, ...names } = principal;
  const [[kind, name] = ['', '']] = Object.entries(names);
  const who = kind === 'any' ? 'anybody' : `${kind} ${String(name)}`;
  return pool === '*' ? `${who} of every pool` : `${who} of ${String(pool)}`;
}
