/** Where in the console somebody is: behind the `#` of the address, which no server gets to see. */

import { signal } from '@preact/signals';

export interface Place {
  /** Decoded; none on the first page. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
}

export const place = signal<Place>(placeOf(location.hash));

export function followAddress(): void {
  addEventListener('hashchange', readAddress);
}

/** For changes that browsers tell nobody of. */
export function readAddress(): void {
  place.value = placeOf(location.hash);
}

/** An address of this page, with segments and parameters that may be anything. */
export function linkTo(
  segments: readonly string[],
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const given = Object.entries(query).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
  );
  const parameters = new URLSearchParams(given).toString();
  return `#/${segments.map(encodeURIComponent).join('/')}${parameters && `?${parameters}`}`;
}

export function goTo(link: string): void {
  location.hash = link;
}

/** Notes something in the address without going anywhere. */
export function noteInAddress(link: string): void {
  history.replaceState(null, '', link);
}

function placeOf(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  return {
    segments: path.split('/').filter(Boolean).map(decoded),
    query: new URLSearchParams(query),
  };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
