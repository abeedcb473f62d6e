/** The admin API of a broker, as commands ask it: one request, one answer that is what the contract says, or words. */

import { z } from 'zod';
import { isJsonObject, type JsonObject } from '../../kit/json/json-object.ts';
import { parseStrictJson } from '../../kit/json/strict-json.ts';
import { type BoundedAnswer, boundedFetch } from '../../kit/net/bounded-fetch.ts';
import { isSecureUrl } from '../../kit/net/secure-url.ts';
import { urlBelow } from '../../kit/net/url-below.ts';
import type { Clock } from '../../kit/timing/clock.ts';

export interface AdminApiRequest<Answer> {
  /** Default: GET. */
  readonly method?: 'POST' | 'PUT' | 'DELETE';
  readonly path: `/v1/${string}`;
  /** Members that are undefined are not sent. */
  readonly query?: Readonly<Record<string, string | undefined>>;
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

/** Why there is no answer to go on with, in words that may hold what others wrote: print them as such. */
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
/** More role mappings than a broker is made for. */
const maxPages = 2_000;

export class AdminApi {
  readonly #options: AdminApiOptions;
  #token: Promise<string> | undefined;

  constructor(options: AdminApiOptions) {
    this.#options = options;
  }

  /** @throws AdminApiError, or what the source of the token throws */
  async ask<Answer>(request: AdminApiRequest<Answer>): Promise<AdminApiAnswer<Answer>> {
    const { status, headers, body } = await this.#send(request);
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
      const where = parsed.error.issues[0]?.path.join('.') ?? '';
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
    let cursor: string | undefined;
    for (let page = 0; page < maxPages; page += 1) {
      const query = { ...request.query, limit: pageSize, cursor };
      const answer = await this.ask({ ...request, query });
      yield answer;
      const next = answer.answer.nextCursor;
      if (next === undefined) return;
      if (next === cursor) break;
      cursor = next;
    }
    throw new AdminApiError(`${this.#options.url.origin} answers page after page without an end.`);
  }

  async #send({ method, path, query = {}, headers, body }: AdminApiRequest<unknown>) {
    const { url: base, clock } = this.#options;
    const url = urlBelow(base, path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    this.#token ??= this.#options.token();
    const authorization = `Bearer ${await this.#token}`;
    let answer: BoundedAnswer;
    try {
      answer = await boundedFetch(url, {
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
      });
    } catch (error) {
      throw new AdminApiError(
        `${base.origin} does not answer (${(error as Error).message}). Is the broker up, and is that its admin listener?`,
      );
    }
    return answer;
  }
}

/** The URL of an admin listener, or what is wrong with it. */
export function adminUrl(text: string): URL | string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '') {
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
    detail ?? title,
    ...(code === undefined ? [] : [`code ${code}`]),
    ...(requestId === undefined ? [] : [`request ${requestId}`]),
  ];
  const faults = errors.map((fault) => `\n  ${fault.pointer}: ${fault.detail}`).join('');
  return new AdminApiError(
    `The admin listener answers ${status}: ${parts.join('; ')}${faults}`,
    status,
  );
}
