/** Issued credentials as JSON, printed once per session and sent as it is afterwards. */

import type { IssuedSession } from '../../core/credentials.ts';
import type { SessionPlan } from '../../core/session/session.ts';
import { ownText } from '../../kit/text/own-text.ts';
import { sendPrintedJson } from '../send-json.ts';
import type { PrintResult } from './exchanging.ts';

/** What stands around the session token, which is most of it, and which the session has already. */
interface Printed {
  readonly start: string;
  /** Undefined: there is no such token in it, or not just once, and `start` is all of it. */
  readonly end: string | undefined;
  /** Of the whole, in UTF-8. */
  readonly bytes: number;
}

export function printedOnce(
  documentOf: (session: IssuedSession, plan: SessionPlan) => object,
): PrintResult {
  // Dropped together with the session when the cache lets go of it.
  const printed = new WeakMap<IssuedSession, Printed>();
  return (res, { plan, issued: { session } }, requestId) => {
    const { sessionToken } = session.credentials;
    let document = printed.get(session);
    if (document === undefined) {
      document = printedAround(sessionToken, JSON.stringify(documentOf(session, plan)));
      printed.set(session, document);
    }
    const { start, end, bytes } = document;
    const text = end === undefined ? start : start + sessionToken + end;
    sendPrintedJson(res, 200, { text, bytes }, requestId);
  };
}

function printedAround(sessionToken: string, text: string): Printed {
  const bytes = Buffer.byteLength(text);
  const [start = '', end, ...others] = text.split(sessionToken);
  if (end === undefined || others.length > 0) return { start: text, end: undefined, bytes };
  return { start: ownText(start), end: ownText(end), bytes };
}
