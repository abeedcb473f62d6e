/** The admin API of a broker, as commands ask it: one request, one answer that is what the contract says, or words. */

import { z } from 'zod';
import { isJsonObject, type JsonObject } from '../../kit/json/json-object.ts';
import { parseStrictJson } from '../../kit/json/strict-json.ts';
import { boundedFetch } from '../../kit/net/bounded-fetch.ts';
import { hasUserInformation, isSecureUrl } from '../../kit/net/secure-url.ts';
import { urlBelow } from '../../kit/net/url-below.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import { printable, printableJson } from '../printable.ts';

export interface AdminApiRequest<Answer> {
  /** Default: GET. */
  readonly method?: 'POST' | 'PUT' | 'DELETE';
  readonly path: `/v1/${string}`;
  /** Members that are undefined are not sent, lists are repeated. */
  readonly query?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** What is read of the answer; a newer broker may say more. */
  readonly answer: z.ZodType<Answer>;
}

export interface AdminApiAnswer<Answer> {
  /** As the broker sent it. */
  readonly document: JsonObject;
  readonly answer: Answer;
  readonly etag: string | undefined;
}

/** Why there is no answer to go on with, in lines: what others wrote is printable, and begins none of them. */
export class AdminApiError extends Error {
  override readonly name = 'AdminApiError';
  /** Of the answer, if there was one. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

export interface AdminApiOptions {
  readonly url: URL;
  /** Asked once, before the first request. */
  readonly token: () => Promise<string>;
  readonly clock: Clock;
}

/** The last: the edit waits for a second administrator. */
const successes = new Set([200, 201, 202]);
const timeoutMs = 10_000;
const maxBytes = 2 * 1024 * 1024;
const limits = { maxDepth: 64, maxKeys: 200_000 };
/** So many of the largest documents that there can be fit into one answer. */
const pageSize = '100';
/** For all pages of a list together: each alone may take its time. */
const pagesTimeoutMs = 120_000;
/** More role mappings than a broker is made for. */
const maxPages = 2_000;

export class AdminApi {
  readonly #options: AdminApiOptions;
  #token: Promise<string> | undefined;

  constructor(options: AdminApiOptions) {
    this.#options = options;
  }

  /**
   * @param givenUp ends it before its time: the whole of which this is a part takes too long
   * @throws AdminApiError, or what the source of the token throws
   */
  async ask<Answer>(
    request: AdminApiRequest<Answer>,
    givenUp?: AbortSignal,
  ): Promise<AdminApiAnswer<Answer>> {
    const { status, headers, body } = await this.#send(request, givenUp);
    const document = body === undefined ? undefined : readObject(body);
    const { origin } = this.#options.url;
    if (document === undefined) {
      throw new AdminApiError(
        `${origin} answers ${status}, and not as an admin listener would. Is that its URL?`,
        status,
      );
    }
    if (!successes.has(status)) throw refusal(status, document);
    const parsed = request.answer.safeParse(document);
    if (!parsed.success) {
      const where = printable(parsed.error.issues[0]?.path.join('.') ?? '');
      throw new AdminApiError(
        `${origin} answers what this version of the command cannot read (at ${where}). Use the version of the broker.`,
        status,
      );
    }
    return { document, answer: parsed.data, etag: headers.get('etag') ?? undefined };
  }

  /** Every item of a list, page by page. @throws as ask */
  async *pages<Page extends { readonly nextCursor?: string | undefined }>(
    request: AdminApiRequest<Page>,
  ): AsyncGenerator<AdminApiAnswer<Page>> {
    const { url, clock } = this.#options;
    let cursor: string | undefined;
    const deadline = clock.deadline(pagesTimeoutMs);
    try {
      for (let page = 0; page < maxPages && !deadline.signal.aborted; page += 1) {
        const query = { ...request.query, limit: pageSize, cursor };
        const answer = await this.ask({ ...request, query }, deadline.signal);
        yield answer;
        const next = answer.answer.nextCursor;
        if (next === undefined) return;
        if (next === cursor) break;
        cursor = next;
      }
    } finally {
      deadline.release();
    }
    throw new AdminApiError(`${url.origin} answers page after page without an end.`);
  }

  async #send(
    { method, path, query = {}, headers, body }: AdminApiRequest<unknown>,
    givenUp: AbortSignal | undefined,
  ) {
    const { url: base, clock } = this.#options;
    const url = urlBelow(base, path);
    for (const [name, value] of Object.entries(query)) {
      for (const one of [value ?? []].flat()) url.searchParams.append(name, one);
    }
    this.#token ??= this.#options.token();
    const authorization = `Bearer ${await this.#token}`;
    try {
      return await boundedFetch(url, {
        method: method ?? 'GET',
        headers: {
          ...headers,
          authorization,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        clock,
        timeoutMs,
        maxBytes,
        givenUp,
      });
    } catch (error) {
      const tooLong = `no end of the list within ${pagesTimeoutMs / 60_000} minutes`;
      const why = givenUp?.aborted === true ? tooLong : (error as Error).message;
      throw new AdminApiError(
        `${base.origin} does not answer (${why}). Is the broker up, and is that its admin listener?`,
      );
    }
  }
}

/** The URL of an admin listener, or what is wrong with it. */
export function adminUrl(text: string): URL | string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || hasUserInformation(url)) {
    return '--admin-url must be an http or https URL without user information.';
  }
  if (!isSecureUrl(url)) {
    return '--admin-url must be https: tokens are not sent in the clear beyond this machine.';
  }
  return url;
}

function readObject(body: Uint8Array): JsonObject | undefined {
  try {
    const value = parseStrictJson(body, limits);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** RFC 9457, with the faults of a document. */
const problem = z.object({
  title: z.string().default('it gives no reason'),
  detail: z.string().optional(),
  code: z.string().optional(),
  request_id: z.string().optional(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).default([]),
});

function refusal(status: number, document: JsonObject): AdminApiError {
  const read = problem.safeParse(document);
  const { title, detail, code, request_id: requestId, errors } = read.data ?? problem.parse({});
  const parts = [
    inCommandWords(detail ?? title),
    ...(code === undefined ? [] : [`code ${code}`]),
    ...(requestId === undefined ? [] : [`request ${requestId}`]),
  ].map(printable);
  const faults = errors
    .map(({ pointer, detail: what }) => `\n  ${place(pointer)}: ${printable(inCommandWords(what))}`)
    .join('');
  return new AdminApiError(
    `The admin listener answers ${status}: ${parts.join('; ')}${faults}`,
    status,
  );
}

/** RFC 6901, or else in quotes: what CI systems take for a command begins a line, blanks or not. */
function place(pointer: string): string {
  if (pointer === '') return 'document';
  return pointer.startsWith('/') ? printable(pointer) : printableJson(pointer);
}

/** The API speaks of requests, and whoever reads it here writes command lines. */
function inCommandWords(text: string): string {
  return text
    .replaceAll('?override=true', '--override')
    .replaceAll('in one Change-Reason header', 'by a --reason')
    .replaceAll('Change-Reason header', '--reason');
}
