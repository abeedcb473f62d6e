/** Which operation of STS a form asks for. */

import { BrokerError } from '../../../core/errors.ts';
import {
  callerIdentityAction,
  stsVersion,
  webIdentityAction,
} from '../../../sts-protocol/answers.ts';
import type { QueryParameters } from '../../../sts-protocol/query-form.ts';

/** AWS_ENDPOINT_URL_STS sends every call of STS here, also those that only AWS can answer. */
export const howToReachAws =
  'To reach AWS instead, unset AWS_ENDPOINT_URL_STS for this call, or set the endpoint in a "services" section that only the profile for this service uses.';

/** @throws BrokerError `action_unknown` unless the form asks for this operation, in the one version there is. */
export function requireOperation(parameters: QueryParameters, action: string): void {
  if (parameters.get('Action') === action && parameters.get('Version') === stsVersion) return;
  throw new BrokerError('action_unknown', {
    detail: `Only ${webIdentityAction} and ${callerIdentityAction} of version ${stsVersion} are answered here. ${howToReachAws}`,
  });
}
