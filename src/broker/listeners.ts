/** The broker's listeners: each as configuration describes it, all of them opened, drained and closed together. */

import type { Express } from 'express';
import type { Config } from '../config/schema.ts';
import {
  type Listener,
  type ListenerCertificate,
  type ListenerOptions,
  type ListenerTimeouts,
  startListener,
} from '../http/server.ts';
import type { TlsObserver } from '../http/tls-observer.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { orAborted } from '../kit/timing/or-aborted.ts';
import { listenerFailed } from './start-error.ts';

export type ListenerName = keyof Config['listeners'];

export interface BrokerUrls {
  readonly api: string;
  readonly ops: string;
  /** Absent when configuration names no administrators. */
  readonly admin: string | undefined;
  /** Absent unless configuration says that the documents are served here. */
  readonly identity: string | undefined;
}

/** What each listener serves; undefined where configuration does without it. */
export interface ListenerApps {
  readonly api: Express;
  readonly ops: Express;
  readonly admin: Express | undefined;
  readonly identity: Express | undefined;
}

export interface ListenersOptions {
  readonly settings: Config['listeners'];
  /** Of the api listener: asked before its application. */
  readonly guard: ListenerOptions['guard'];
  readonly clock: Clock;
  /** Once it is aborted no port is opened any more. */
  readonly signal: AbortSignal;
  /** Default: those of production. */
  readonly timeouts: ListenerTimeouts | undefined;
  readonly onConnectionError: (listener: ListenerName, code: string) => void;
  readonly tlsObserver: (listener: ListenerName) => TlsObserver;
}

export class Listeners {
  readonly #options: ListenersOptions;
  readonly #open = new Map<ListenerName, Listener>();
  /** Of those with TLS: whether they complete handshakes. */
  readonly handshakes = new Map<ListenerName, () => boolean>();
  /** Of those with TLS. */
  readonly certificates = new Map<ListenerName, ListenerCertificate>();

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /**
   * Resolves when all of them answer. After a failure none is being opened any more, and those that are open stay so until
   * they are closed.
   *
   * @throws StartError the first in their order
   */
  async open(apps: ListenerApps): Promise<BrokerUrls> {
    const [api, ops, admin, identity] = await allOrFirstFailure([
      this.#openOne('api', apps.api),
      this.#openOne('ops', apps.ops),
      apps.admin === undefined ? undefined : this.#openOne('admin', apps.admin),
      apps.identity === undefined ? undefined : this.#openOne('identity', apps.identity),
    ]);
    return { api, ops, admin, identity };
  }

  /** Undefined before it listens. */
  url(name: ListenerName): string | undefined {
    return this.#open.get(name)?.url;
  }

  drain(): void {
    for (const listener of this.#open.values()) listener.drain();
  }

  async close(graceMs: number): Promise<void> {
    await Promise.all([...this.#open.values()].map((listener) => listener.close(graceMs)));
  }

  async #openOne(name: ListenerName, app: Express): Promise<string> {
    const { settings, guard, clock, signal, timeouts, onConnectionError, tlsObserver } =
      this.#options;
    const { host, port, tls, maxConnections } = settings[name];
    const opening = startListener({
      app,
      guard: name === 'api' ? guard : undefined,
      host,
      port,
      tls,
      maxConnections,
      // The others answer anybody.
      successIsProof: name === 'api' || name === 'admin',
      clock,
      signal,
      timeouts,
      onConnectionError: (code) => onConnectionError(name, code),
      tlsObserver: tlsObserver(name),
    });
    try {
      const listener = await orAborted(opening, signal);
      this.#open.set(name, listener);
      const { handshakes, certificate } = listener;
      if (certificate !== undefined) this.certificates.set(name, certificate);
      if (handshakes !== undefined) this.handshakes.set(name, handshakes);
      return listener.url;
    } catch (error) {
      throw listenerFailed(name, settings[name], error);
    }
  }
}

/** What all of them resolve to, or the first failure in their order, once none is under way any more. */
async function allOrFirstFailure<Work extends readonly unknown[]>(work: readonly [...Work]) {
  // One that opened after another has failed would never be closed.
  await Promise.allSettled(work);
  return await Promise.all(work);
}
