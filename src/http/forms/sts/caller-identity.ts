/**
 * GetCallerIdentity, for keys that this instance issued and still holds: programs ask it to find out who they
 * are, and with the endpoint of STS set to this service the question arrives here, signed for this host.
 */

import type { IssuedSession } from '../../../core/credentials.ts';
import { BrokerError, type ReasonOf } from '../../../core/errors.ts';
import type { HeldSessions } from '../../../core/ports.ts';
import type { Clock } from '../../../kit/timing/clock.ts';
import { callerIdentityAction } from '../../../sts-protocol/answers.ts';
import {
  checkSignatureV4,
  SignatureError,
  type SignatureFault,
} from '../../../sts-protocol/signature-v4.ts';
import type { AdmittedRequest } from '../../admission.ts';
import { howToReachAws, requireOperation } from './operation.ts';
import type { QueryForm } from './query-form.ts';

export interface CallerIdentityOptions {
  readonly sessions: HeldSessions;
  readonly clock: Clock;
}

/**
 * The session whose keys signed the request.
 *
 * @throws BrokerError `action_unknown`, `body_invalid`, `access_key_unknown` or `signature_invalid`.
 */
export function signedSession(
  { method, url, rawHeaders }: AdmittedRequest,
  { parameters, bytes }: QueryForm,
  { sessions, clock }: CallerIdentityOptions,
): IssuedSession {
  requireOperation(parameters, callerIdentityAction);
  if (parameters.size > 2) {
    throw new BrokerError('body_invalid', {
      detail: `${callerIdentityAction} takes no parameters.`,
    });
  }
  const findKey = (accessKeyId: string) => {
    const session = sessions.sessionOfKey(accessKeyId);
    return session && { ...session.credentials, session };
  };
  const request = { method, path: url, rawHeaders, body: bytes };
  try {
    return checkSignatureV4(request, { service: 'sts', now: clock.now(), findKey }).session;
  } catch (error) {
    if (error instanceof SignatureError) throw refusalOf(error);
    throw error;
  }
}

const reasons: Partial<Readonly<Record<SignatureFault, ReasonOf<'signature_invalid'>>>> = {
  MissingAuthenticationToken: 'signature_absent',
  IncompleteSignature: 'signature_incomplete',
  ExpiredToken: 'session_ended',
};

function refusalOf({ code, message }: SignatureError): BrokerError {
  if (code === 'InvalidClientTokenId') {
    return new BrokerError('access_key_unknown', {
      detail: `These keys are of no session that this service holds; it may have been renewed meanwhile, or be held by another instance. ${howToReachAws}`,
    });
  }
  return new BrokerError('signature_invalid', { detail: message, reason: reasons[code] });
}
