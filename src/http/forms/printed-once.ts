/** Issued credentials as JSON, printed once per session and sent as bytes afterwards. */

import type { IssuedSession } from '../../core/credentials.ts';
import type { SessionPlan } from '../../core/session/session.ts';
import { sendPrintedJson } from '../send-json.ts';
import type { PrintResult } from './exchanging.ts';

export function printedOnce(
  documentOf: (session: IssuedSession, plan: SessionPlan) => object,
): PrintResult {
  // Dropped together with the session when the cache lets go of it.
  const printed = new WeakMap<IssuedSession, Buffer>();
  return (res, { plan, issued: { session } }, requestId) => {
    let document = printed.get(session);
    if (document === undefined) {
      document = Buffer.from(JSON.stringify(documentOf(session, plan)));
      printed.set(session, document);
    }
    sendPrintedJson(res, 200, document, requestId);
  };
}
