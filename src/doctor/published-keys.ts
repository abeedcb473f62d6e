/** The documents of an issuer, fetched as STS fetches them: within five seconds, from public addresses, without redirects. */

import { lookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import type { Config } from '../config/schema.ts';
import { isJsonObject, type JsonObject, parseJsonObject } from '../kit/json/json-object.ts';
import { boundedFetch, NoAnswerError } from '../kit/net/bounded-fetch.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { withDeadline } from '../kit/timing/with-deadline.ts';
import { discoveryPath } from '../web-identity/documents.ts';
import type { Fetched, PublishedDocument } from './endpoint-answers.ts';
import type { Examination, NeededIssuer } from './examination.ts';
import { isPublicAddress } from './public-addresses.ts';

/** STS gives an identity provider five seconds. */
const timeoutMs = 5_000;
const maxBytes = 256 * 1024;

export function fetchDiscovery(
  { issuer, ofBroker }: NeededIssuer,
  examination: Examination,
): Promise<Fetched> {
  const place = ofBroker ? ownListener(examination.config) : undefined;
  return fetchDocument(`${place ?? issuer}${discoveryPath}`, examination);
}

/** Where a broker of the local stack serves its documents: nothing of it is on the Internet. */
function ownListener({ profile, webIdentity, listeners }: Config): string | undefined {
  if (profile !== 'development' || webIdentity?.serveDocuments !== true) return undefined;
  const { port, host } = listeners.identity;
  if (port === 0 || webIdentity.issuer.startsWith('http:')) return undefined;
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

export async function fetchKeySet(
  needed: NeededIssuer,
  discovery: PublishedDocument,
  examination: Examination,
): Promise<Fetched> {
  const { jwks_uri: named } = discovery.document;
  if (typeof named !== 'string' || !URL.canParse(named))
    return 'the discovery document names no key set';
  const place = needed.ofBroker ? ownListener(examination.config) : undefined;
  const url = place === undefined ? named : named.replace(needed.issuer, place);
  return await fetchDocument(url, examination);
}

function fetchDocument(url: string, examination: Examination): Promise<Fetched> {
  return examination.answers.documents.get(url, () => fetchNow(url, examination));
}

async function fetchNow(url: string, { config, clock }: Examination): Promise<Fetched> {
  const odd = config.profile === 'development' ? undefined : await unreachableForSts(url, clock);
  if (odd !== undefined) return `${url} ${odd}`;
  try {
    const { status, body } = await boundedFetch(url, { clock, timeoutMs, maxBytes });
    if (status !== 200) return `${url} answers with status ${status}`;
    if (body === undefined) return `${url} is larger than ${maxBytes / 1024} KiB`;
    const document = parseJsonObject(Buffer.from(body).toString());
    return document === undefined ? `${url} is no JSON object` : { url, document };
  } catch (error) {
    if (!(error instanceof NoAnswerError)) throw error;
    return `${url} cannot be fetched: ${error.message}`;
  }
}

/** STS is outside of every network of yours. */
async function unreachableForSts(url: string, clock: Clock): Promise<string | undefined> {
  const { protocol, hostname } = new URL(url);
  if (protocol !== 'https:') return 'is not https';
  try {
    const addresses = await withDeadline({ clock, timeoutMs }, () =>
      lookup(hostname.replace(/^\[|\]$/g, ''), { all: true }),
    );
    const hidden = addresses.find(({ address }) => !isPublicAddress(address));
    return (
      hidden && `is at ${hidden.address}, an address that is not public: STS does not reach it`
    );
  } catch {
    return `has a host that cannot be resolved: ${hostname}`;
  }
}

/** The keys in a key set; undefined if it is none. */
export function keysIn({ document }: PublishedDocument): readonly JsonObject[] | undefined {
  const { keys } = document;
  return Array.isArray(keys) && keys.every(isJsonObject) ? keys : undefined;
}
