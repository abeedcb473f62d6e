/** One request through an ordinary HTTP client; request and answer must keep the contract. */

import request from 'supertest';
import { contractFaults, type Headers, isForm, type ListenerName } from './contract.ts';

export interface Call {
  /** Default `api`. */
  readonly listener?: ListenerName;
  /** Default `GET`. */
  readonly method?: string;
  /** With the query. */
  readonly path: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text and bytes are sent as they are, everything else as JSON. */
  readonly body?: unknown;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly requestId: string | undefined;
  readonly text: string;
  /** Parsed, if the answer is JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: a test says itself what it expects in there
  readonly body: any;
}

export async function send(url: string, call: Call): Promise<Answer> {
  const { listener = 'api', method = 'GET', path, token, headers = {}, body } = call;
  const verb = method.toLowerCase() as 'get';
  const sent = request(url)[verb](path).redirects(0);
  const fields: Record<string, string> = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...lowerCased(headers),
  };
  for (const [name, value] of Object.entries(fields)) void sent.set(name, value);
  // The client must not print as JSON what is bytes already.
  const answer = await (body === undefined
    ? sent
    : sent.serialize((bytes: unknown) => bytes as string).send(bytesOf(body)));
  const { status, text = '' } = answer;
  const answered = answer.headers as Headers;
  const faults = contractFaults({
    listener,
    method,
    target: path,
    requestHeaders: fields,
    requestBody: isForm(fields) ? String(body) : parsed(body),
    status,
    headers: answered,
    text,
  });
  if (faults.length > 0) {
    throw new Error(`${method} ${path} broke the contract:\n${faults.join('\n')}\n${text}`);
  }
  const json = /json$/.test(answered['content-type'] ?? '') && text !== '';
  return {
    status,
    headers: answered,
    requestId: answered['x-request-id'],
    text,
    body: json ? (JSON.parse(text) as unknown) : undefined,
  };
}

function bytesOf(body: unknown): string | Buffer {
  if (typeof body === 'string' || Buffer.isBuffer(body)) return body;
  return JSON.stringify(body);
}

/** What a client that knows JSON sent. */
function parsed(body: unknown): unknown {
  if (typeof body !== 'string' && !Buffer.isBuffer(body)) return body;
  try {
    return JSON.parse(body.toString()) as unknown;
  } catch {
    return undefined;
  }
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}
