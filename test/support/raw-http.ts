/** Bytes on a socket, and the answers to them: for requests that no HTTP client would send. */

import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly reason: string;
  /** As sent, in order. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Lower-case names; of several fields of one name the last. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export interface RawResult {
  readonly answers: readonly RawAnswer[];
  /** What came after the last whole answer. */
  readonly rest: string;
  /** Whether the server ended the connection. */
  readonly closed: boolean;
}

export interface RawOptions {
  /** Go on once so many answers are there. Default: wait until the server ends the connection. */
  readonly answers?: number;
  /** Of the request, to know if an answer has a body. */
  readonly method?: string;
  /** Against waiting for ever; a busy machine is not to reach it. Default: 20 s. */
  readonly timeoutMs?: number;
  /** Goes away as soon as everything is sent. */
  readonly leave?: boolean;
  /** Says that nothing more will be sent, and goes on reading. */
  readonly halfClose?: boolean;
  /** Sent in pieces of so many bytes, and the rest in one. Default: all at once. */
  readonly pieces?: readonly number[];
}

/** Rejects if what is waited for does not come. */
export function sendRaw(
  url: string,
  /** Text stands for Latin-1: one byte per character. */
  bytes: string | Uint8Array,
  options: RawOptions = {},
): Promise<RawResult> {
  const { answers: wanted, method = 'GET', timeoutMs = 20_000 } = options;
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    let received = Buffer.alloc(0);
    let done = false;
    const finish = (closed: boolean) => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      socket.destroy();
      resolve({ ...parseAnswers(received, method), closed });
    };
    const timer = setTimeout(() => {
      done = true;
      socket.destroy();
      reject(new Error(`no end after ${timeoutMs} ms; received: ${received.toString('latin1')}`));
    }, timeoutMs);
    socket.on('connect', () => {
      for (const piece of inPieces(bytes, options.pieces)) socket.write(piece);
      if (options.leave === true) socket.destroySoon();
      if (options.halfClose === true) socket.end();
    });
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (wanted !== undefined && parseAnswers(received, method).answers.length >= wanted) {
        finish(false);
      }
    });
    socket.on('close', () => finish(true));
    // A server that closes while bytes are still arriving resets the connection: `close` follows.
    socket.on('error', () => undefined);
  });
}

function inPieces(bytes: string | Uint8Array, sizes: readonly number[] = []): readonly Buffer[] {
  let rest = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes);
  const pieces = sizes.map((size) => {
    const piece = rest.subarray(0, size);
    rest = rest.subarray(size);
    return piece;
  });
  return [...pieces, rest].filter(({ length }) => length > 0);
}

function parseAnswers(bytes: Buffer, method: string): Omit<RawResult, 'closed'> {
  const answers: RawAnswer[] = [];
  let text = bytes.toString('latin1');
  for (;;) {
    const parsed = parseAnswer(text, method);
    if (parsed === undefined) return { answers, rest: text };
    text = text.slice(parsed.length);
    // 100 Continue announces the answer and is none.
    if (parsed.answer.status >= 200) answers.push(parsed.answer);
  }
}

function parseAnswer(
  text: string,
  method: string,
): { readonly answer: RawAnswer; readonly length: number } | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd === -1) return undefined;
  const [statusLine = '', ...lines] = text.slice(0, headEnd).split('\r\n');
  const [, status, reason = ''] = /^HTTP\/1\.1 (\d{3}) (.*)$/.exec(statusLine) ?? [];
  if (status === undefined) return undefined;
  const fields = lines.map((line) => {
    const colon = line.indexOf(': ');
    return [line.slice(0, colon), line.slice(colon + 2)] as const;
  });
  const headers = Object.fromEntries(fields.map(([name, value]) => [name.toLowerCase(), value]));
  const hasBody = method !== 'HEAD' && Number(status) >= 200;
  // This service always says how long a body is; an answer that does not is somebody else's.
  const bodyLength = Number(headers['content-length'] ?? text.length);
  const bodyEnd = headEnd + 4 + (hasBody ? bodyLength : 0);
  if (text.length < bodyEnd) return undefined;
  const body = Buffer.from(text.slice(headEnd + 4, bodyEnd), 'latin1').toString('utf8');
  return {
    answer: { status: Number(status), reason, fields, headers, text: body },
    length: bodyEnd,
  };
}
