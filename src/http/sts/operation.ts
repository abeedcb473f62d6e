/** Which operation of STS a form asks for. */

import { BrokerError } from '../../core/errors.ts';

export const webIdentityAction = 'AssumeRoleWithWebIdentity';
export const callerIdentityAction = 'GetCallerIdentity';

/** AWS_ENDPOINT_URL_STS sends every call of STS here, also those that only AWS can answer. */
export const howToReachAws =
  'To reach AWS instead, unset AWS_ENDPOINT_URL_STS for this call, or set the endpoint in a "services" section that only the profile for this service uses.';

/** @throws BrokerError `action_unknown` unless the form asks for this operation, in the one version there is. */
export function requireOperation(parameters: ReadonlyMap<string, string>, action: string): void {
  if (parameters.get('Action') === action && parameters.get('Version') === '2011-06-15') return;
  throw new BrokerError('action_unknown', {
    detail: `Only ${webIdentityAction} and ${callerIdentityAction} of version 2011-06-15 are answered here. ${howToReachAws}`,
  });
}
