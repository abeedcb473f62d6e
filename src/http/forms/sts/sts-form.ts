/**
 * `POST /sts`: the STS query protocol, by which AWS SDKs exchange a token when AWS_ENDPOINT_URL_STS names this
 * service (AWS SDKs and Tools Reference Guide, "Assume role credential provider").
 */

import { webIdentityAction } from '../../../sts-protocol/answers.ts';
import type { AdmittedRequest } from '../../admission.ts';
import type { Arrival } from '../../arrival.ts';
import { requireNoQuery } from '../../query.ts';
import { exchanging } from '../exchanging.ts';
import type { WireForm } from '../wire-form.ts';
import { signedSession } from './caller-identity.ts';
import { type QueryForm, readQueryForm } from './query-form.ts';
import { sendCallerIdentity, sendWebIdentity } from './sts-answer.ts';
import { sendStsError } from './sts-error.ts';
import { webIdentityRequest } from './web-identity-request.ts';

/** Whatever the operation and the path. */
const route = '/sts';

export const stsForm: WireForm = {
  route,
  // SDKs add a slash to the path of their endpoint, or not; the one for Java forgets the path.
  paths: [route, '/sts/', '/'],
  method: 'POST',
  ownsPaths: true,
  sendError: sendStsError,
  handler(parts) {
    const issue = exchanging(route, parts, (res, { issued }, requestId) =>
      sendWebIdentity(res, issued.session, requestId),
    );
    return async (arrival, context) => {
      const reading = read(arrival);
      if (await asksForAnother(reading)) {
        // Gives out what whoever holds the keys knows already, so there is nothing to record.
        const { req, form } = await reading;
        sendCallerIdentity(req.res, signedSession(req, form, parts), context.requestId);
        return undefined;
      }
      return issue(arrival, context, async () =>
        webIdentityRequest((await reading).form.parameters),
      );
    };
  },
};

interface ReadForm {
  readonly req: AdmittedRequest;
  readonly form: QueryForm;
}

async function read(arrival: Arrival): Promise<ReadForm> {
  const req = arrival.admit();
  requireNoQuery(req);
  return { req, form: await readQueryForm(req) };
}

/** What cannot be read, or names no operation, may have been an exchange: it is refused and recorded as one. */
async function asksForAnother(reading: Promise<ReadForm>): Promise<boolean> {
  try {
    const action = (await reading).form.parameters.get('Action');
    return action !== undefined && action !== webIdentityAction;
  } catch {
    return false;
  }
}
