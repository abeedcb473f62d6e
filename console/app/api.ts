/** The admin API, which is all that the console can do anything by. */

import { session, signOut } from './sign-in/session.ts';

export interface ApiRequest {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

export interface ApiAnswer<Document> {
  readonly document: Document;
  readonly etag: string | undefined;
}

export interface Fault {
  readonly pointer: string;
  readonly detail: string;
}

/** A problem document (RFC 9457), or that there was no answer. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly faults: readonly Fault[];
  readonly requestId: string | undefined;

  constructor({ status = 0, code = 'no_answer', errors = [], ...rest }: Problem) {
    super(rest.detail ?? rest.title ?? '');
    this.status = status;
    this.code = code;
    this.faults = errors;
    this.requestId = rest.request_id;
  }
}

interface Problem {
  readonly status?: number;
  readonly code?: string;
  readonly title?: string;
  readonly detail?: string;
  readonly errors?: readonly Fault[];
  readonly request_id?: string;
}

const timeoutMs = 20_000;

/** @throws ApiProblem */
export async function callApi<Document>(
  path: `/v1/${string}`,
  request: ApiRequest = {},
): Promise<ApiAnswer<Document>> {
  const answer = await send(path, { signal: AbortSignal.timeout(timeoutMs), ...request });
  const document = (await answer.json().catch(() => undefined)) as Document | undefined;
  if (!answer.ok) throw problemOf(answer.status, document as Problem | undefined);
  if (document === undefined) throw new ApiProblem(noBroker(answer.status));
  return { document, etag: answer.headers.get('etag') ?? undefined };
}

/** Page after page of a list, as long as `onPage` wants another. @throws ApiProblem */
export async function readPages<Page extends { readonly nextCursor?: string }>(
  path: `/v1/${string}?limit=${number}`,
  onPage: (page: Page) => boolean,
): Promise<void> {
  let cursor: string | undefined = '';
  while (cursor !== undefined) {
    const after: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const { document } = await callApi<Page>(`${path}${after}`);
    cursor = onPage(document) ? document.nextCursor : undefined;
  }
}

/** @throws ApiProblem if there is no answer. */
async function send(path: `/v1/${string}`, request: ApiRequest): Promise<Response> {
  const held = session.value;
  if (held.kind !== 'signed_in') throw new ApiProblem({ detail: 'Nobody is signed in.' });
  const { method = 'GET', headers, body, signal } = request;
  try {
    return await fetch(path, {
      method,
      headers: {
        authorization: `Bearer ${held.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
      credentials: 'omit',
      redirect: 'error',
      cache: 'no-store',
    });
  } catch {
    throw new ApiProblem({ detail: 'The broker does not answer. Try again in a moment.' });
  }
}

/** Cut off on its way, or from whatever stands in front of the broker. */
function noBroker(status: number): Problem {
  return { detail: `That was no answer of the broker (${status}). Try again in a moment.` };
}

/** Who is not signed in well enough is asked to sign in, wherever that is found out. */
function problemOf(status: number, document: Problem | undefined): ApiProblem {
  const problem = new ApiProblem({ ...(document ?? noBroker(status)), status });
  if (problem.code === 'sign_in_insufficient') signOut(problem.message, true);
  else if (status === 401) signOut(problem.message || 'The sign-in has ended.');
  return problem;
}
