/** Asks the broker for credentials over keep-alive connections, one request at a time on each. Loopback only. */

import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { type Ask, type FormName, forms, type Told } from './wire-forms.ts';
import type { CrowdCaller } from './world.ts';

export interface LoadAnswer {
  readonly ask: Ask;
  readonly caller: CrowdCaller;
  /** 0: the connection broke, or could not be had, before the answer was complete. */
  readonly status: number;
  readonly code: string | undefined;
  readonly requestId: string | undefined;
  readonly accessKeyId: string | undefined;
  readonly role: string | undefined;
  readonly expiresAt: number | undefined;
  readonly retryAfter: string | undefined;
  /** Whether it has the content type of an error in the form in which it was asked. */
  readonly problem: boolean;
  /** Monotonic milliseconds. */
  readonly sentAt: number;
  readonly ms: number;
}

/** A connection that opens itself when it is first used, and again after the broker has closed it. */
export class Connection {
  readonly #url: URL;
  readonly #patienceMs: number;
  #socket: Socket | undefined;

  constructor(url: string, patienceMs = 15_000) {
    this.#url = new URL(url);
    if (!/^127\./.test(this.#url.hostname)) throw new Error('loopback only');
    this.#patienceMs = patienceMs;
  }

  async ask(ask: Ask): Promise<LoadAnswer> {
    const sentAt = performance.now();
    const text = forms[ask.form ?? 'rest'].request(this.#url.host, ask);
    const message = await this.#exchange(text);
    return readAnswer(ask, message, sentAt);
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #exchange(text: string): Promise<Buffer | undefined> {
    const socket = this.#usable();
    return new Promise((resolve) => {
      let pending: Buffer = Buffer.alloc(0);
      const done = (message: Buffer | undefined) => {
        socket.off('data', onData).off('close', onClose);
        clearTimeout(timer);
        if (message === undefined || /\r\nconnection: close/i.test(headOf(message))) this.close();
        resolve(message);
      };
      const onClose = () => done(undefined);
      const onData = (chunk: Buffer) => {
        pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
        const length = messageLength(pending);
        if (length !== undefined && pending.length >= length) done(pending);
      };
      const timer = setTimeout(onClose, this.#patienceMs);
      socket.on('data', onData).on('close', onClose);
      socket.write(text);
    });
  }

  #usable(): Socket {
    if (this.#socket !== undefined && !this.#socket.destroyed) return this.#socket;
    const socket = connect({
      host: this.#url.hostname,
      port: Number(this.#url.port),
      noDelay: true,
    });
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.destroy());
    this.#socket = socket;
    return socket;
  }
}

export interface RunLoadOptions {
  readonly connections: number;
  /** The next request; undefined ends the connection that asked. */
  readonly next: () => Ask | undefined;
  /** Of all connections together; default as fast as they are answered. */
  readonly perSecond?: number;
  /** Who is refused waits so long before asking again. Default 0. */
  readonly retryAfterMs?: number;
  /** Which broker the next request goes to; undefined: wait for one. */
  readonly url: () => string | undefined;
  readonly onAnswer: (answer: LoadAnswer) => void;
}

/** Resolves when every connection has ended. */
export async function runLoad(options: RunLoadOptions): Promise<void> {
  const { connections, perSecond } = options;
  const intervalMs = perSecond === undefined ? 0 : (connections * 1000) / perSecond;
  await Promise.all(
    Array.from({ length: connections }, (_, index) =>
      runConnection(options, intervalMs, (index * intervalMs) / connections),
    ),
  );
}

export interface LoadBeside {
  readonly connections: number;
  readonly make: (index: number) => Ask;
  /** How many requests there are, unless the time is over before. */
  readonly limit: number;
  readonly atMostMs: number;
  readonly url: () => string;
  readonly onAnswer: (answer: LoadAnswer) => void;
  /** What goes on meanwhile; ends soon after `isOver`. Its failure ends the load. */
  readonly beside: (isOver: () => boolean) => Promise<void>;
}

/** Resolves when both have ended. */
export async function runLoadBeside(options: LoadBeside): Promise<void> {
  const { make, limit, atMostMs, beside, ...load } = options;
  const turnstile = new Turnstile(make, limit);
  const overdue = setTimeout(() => turnstile.close(), atMostMs);
  const loading = runLoad({ ...load, next: turnstile.next });
  let isOver = false;
  const working = beside(() => isOver);
  try {
    await Promise.race([loading, working]);
  } finally {
    isOver = true;
    turnstile.close();
    clearTimeout(overdue);
    await loading;
  }
  await working;
}

async function runConnection(options: RunLoadOptions, intervalMs: number, firstMs: number) {
  const { next, url, onAnswer, retryAfterMs = 0 } = options;
  const open = new Map<string, Connection>();
  const pace = pacer(intervalMs, firstMs);
  for (;;) {
    await pace();
    const ask = next();
    if (ask === undefined) break;
    const target = await available(url);
    const connection = open.get(target) ?? new Connection(target);
    open.set(target, connection);
    const answer = await connection.ask(ask);
    onAnswer(answer);
    if (retryAfterMs > 0 && answer.status !== 200) await pause(retryAfterMs);
  }
  for (const connection of open.values()) connection.close();
}

/** Resolves when the next request is due. */
function pacer(intervalMs: number, firstMs: number): () => Promise<void> {
  if (intervalMs === 0) return async () => {};
  let due = performance.now() + firstMs;
  return async () => {
    const waitMs = due - performance.now();
    if (waitMs > 1) await pause(waitMs);
    // Who is behind does not catch up in a burst.
    due = Math.max(due + intervalMs, performance.now() - intervalMs);
  };
}

async function available(url: () => string | undefined): Promise<string> {
  for (;;) {
    const target = url();
    if (target !== undefined) return target;
    await pause(5);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Lets requests through until they are so many, or until it is told to stop. */
export class Turnstile {
  sent = 0;
  #open: boolean = true;
  readonly #limit: number;
  readonly #make: (index: number) => Ask;

  constructor(make: (index: number) => Ask, limit = Number.POSITIVE_INFINITY) {
    this.#make = make;
    this.#limit = limit;
  }

  readonly next = (): Ask | undefined => {
    if (!this.#open || this.sent >= this.#limit) return undefined;
    this.sent += 1;
    return this.#make(this.sent - 1);
  };

  close(): void {
    this.#open = false;
  }
}

function readAnswer(ask: Ask, message: Buffer | undefined, sentAt: number): LoadAnswer {
  const { caller, form = 'rest' } = ask;
  const ms = performance.now() - sentAt;
  const head = message === undefined ? '' : headOf(message);
  const told = message === undefined ? {} : toldBy(form, message, head.length);
  const { code, accessKeyId, role, expiration } = told;
  return {
    ask,
    caller,
    status: message === undefined ? 0 : Number(head.slice(9, 12)),
    code,
    requestId: /\r\nx-request-id: ([^\r]+)/i.exec(head)?.[1],
    accessKeyId,
    role,
    expiresAt: expiration === undefined ? undefined : Date.parse(expiration),
    retryAfter: /\r\nretry-after: ([^\r]+)/i.exec(head)?.[1],
    problem: forms[form].contentType.test(head),
    sentAt,
    ms,
  };
}

function toldBy(form: FormName, message: Buffer, headLength: number): Told {
  try {
    return forms[form].read(message.toString('utf8', headLength));
  } catch {
    return {};
  }
}

function headOf(message: Buffer): string {
  const end = message.indexOf('\r\n\r\n');
  return end < 0 ? '' : message.toString('latin1', 0, end + 4);
}

/** Length of the whole first message, once its head has arrived. */
function messageLength(bytes: Buffer): number | undefined {
  const head = headOf(bytes);
  if (head === '') return undefined;
  return head.length + Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
}
