/** Starts the broker as an issuer: no token is signed by a key that nobody could verify, or published for one that is not ours. */

import type { Config } from '../config/schema.ts';
import type { Clock } from '../kit/timing/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import { checkPublished } from '../web-identity/published-documents.ts';
import type { TokenIssuer } from '../web-identity/token-issuer.ts';

export interface StartTokenIssuerOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Where the documents cannot be reached the start goes on: STS has its copy, and a restart must not turn a broken host of
 * documents into an outage. Where they can, what they say must be right.
 *
 * @throws TokenKeyError, or Error with what is wrong with the documents
 */
export async function startTokenIssuer(
  tokens: TokenIssuer,
  { config: { webIdentity }, clock, logger }: StartTokenIssuerOptions,
): Promise<void> {
  await tokens.start();
  // Those that this process serves are made of the same keys.
  if (webIdentity?.keys === undefined || webIdentity.serveDocuments) return;
  const { issuer } = webIdentity;
  const findings = await checkPublished({ issuer, keys: tokens.published }, clock);
  for (const { kind, detail } of findings) {
    if (kind === 'wrong') throw new Error(`${detail}; token-broker web-identity check says more`);
    logger.warn({ kind, detail }, 'the documents of the web identity issuer');
  }
}
