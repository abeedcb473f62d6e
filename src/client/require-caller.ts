/**
 * Who calls, for services that check tokens themselves. The handlers need nothing of Express but what Node's own
 * request and answer have, so they fit every framework with `(req, res, next)`.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { BrokerError } from '../core/errors.ts';
import { bearerToken } from '../http/bearer-token.ts';
import { sendRefusal } from './refusal.ts';
import type { ServiceCaller } from './service-caller.ts';

export type Middleware = (
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/** A CognitoTokenValidator is one. */
export interface CallerValidator {
  validate(token: string): Promise<ServiceCaller>;
  /** Claims, besides `sub` and `client_id`, that callers may have. */
  readonly matchableClaims: ReadonlySet<string>;
}

export interface RequireCallerOptions {
  readonly validator: CallerValidator;
}

export interface ProvenCaller {
  readonly caller: ServiceCaller;
  readonly matchableClaims: ReadonlySet<string>;
}

/** Outside the request, where no other middleware and no parser of user input can write. */
const proven = new WeakMap<IncomingMessage, ProvenCaller>();

/**
 * Lets requests with an acceptable bearer token pass, and answers the others with problem+json: 401, or 503
 * while the keys of the issuer are not to be had. Behind it, `callerOf(req)` says who it is.
 */
export function requireCaller({ validator }: RequireCallerOptions): Middleware {
  return (req, res, next) => {
    identify(req, validator).then(
      () => next(),
      (error: unknown) => {
        if (error instanceof BrokerError) sendRefusal(res, error);
        else next(error);
      },
    );
  };
}

/** @throws TypeError where no `requireCaller` came before. */
export function callerOf(req: IncomingMessage): ServiceCaller {
  return provenCallerOf(req).caller;
}

export function provenCallerOf(req: IncomingMessage): ProvenCaller {
  const found = proven.get(req);
  if (found === undefined) throw new TypeError('requireCaller must come before this handler');
  return found;
}

async function identify(req: IncomingMessage, validator: CallerValidator): Promise<void> {
  const [authorization, another] = req.headersDistinct['authorization'] ?? [];
  if (another !== undefined) {
    throw new BrokerError('token_malformed', { detail: 'Send one Authorization header only.' });
  }
  const caller = await validator.validate(bearerToken(authorization));
  proven.set(req, { caller, matchableClaims: validator.matchableClaims });
}
