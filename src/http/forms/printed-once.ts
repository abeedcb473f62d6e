/** Issued credentials as JSON, printed once per session and sent as it is afterwards. */

import type { IssuedSession } from '../../core/credentials.ts';
import type { SessionPlan } from '../../core/session/session.ts';
import { type BodyText, bodyText } from '../body-text.ts';
import { sendPrintedJson } from '../send-json.ts';
import type { PrintResult } from './exchanging.ts';

export function printedOnce(
  documentOf: (session: IssuedSession, plan: SessionPlan) => object,
): PrintResult {
  // Dropped together with the session when the cache lets go of it.
  const printed = new WeakMap<IssuedSession, BodyText>();
  return (res, { plan, issued: { session } }, requestId) => {
    let document = printed.get(session);
    if (document === undefined) {
      document = bodyText(JSON.stringify(documentOf(session, plan)));
      printed.set(session, document);
    }
    sendPrintedJson(res, 200, document, requestId);
  };
}
