/** What the endpoints that the doctor calls without credentials have answered in this run. */

import type { JsonObject } from '../kit/json/json-object.ts';
import { MadeOnce } from './made-once.ts';

export interface PublishedDocument {
  readonly url: string;
  readonly document: JsonObject;
}

/** A text says why there is none. */
export type Fetched = PublishedDocument | string;

export interface StsGreeting {
  readonly url: string;
  /** Epoch milliseconds by the header `Date`; undefined without one. */
  readonly date: number | undefined;
  /** Epoch milliseconds here, between sending and receiving. */
  readonly here: number;
}

/** Each URL is called once. */
export class EndpointAnswers {
  /** What issuers publish. */
  readonly documents = new MadeOnce<Fetched>();
  /** Of STS; a text says what came instead. */
  readonly greetings = new MadeOnce<StsGreeting | string>();
}
