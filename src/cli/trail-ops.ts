/** Metrics of a command that follows a trail: nothing of it is secret, and nothing else is there. */

import type { Registry } from 'prom-client';
import { expressApp } from '../http/express-app.ts';
import { responseHeaders } from '../http/response-headers.ts';
import { type Listener, startListener } from '../http/server.ts';
import type { Clock } from '../kit/timing/clock.ts';

export interface TrailOpsOptions {
  readonly registry: Registry;
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
}

export interface TrailOps {
  readonly url: string;
  stop(): Promise<void>;
}

/** `GET /metrics` and `GET /livez`. Rejects when the port cannot be had. */
export async function startTrailOps(options: TrailOpsOptions): Promise<TrailOps> {
  const { registry, host, port, clock } = options;
  const app = expressApp();
  app.get('/metrics', async (_req, res) => {
    const text = await registry.metrics();
    res.writeHead(200, [...responseHeaders(res.socket), 'Content-Type', registry.contentType]);
    res.end(text);
  });
  app.use((req, res) => {
    const isLive = req.method === 'GET' && req.path === '/livez';
    res.writeHead(isLive ? 200 : 404, [
      ...responseHeaders(res.socket),
      'Content-Type',
      'text/plain',
    ]);
    res.end(isLive ? 'ok\n' : 'not found\n');
  });
  const listener: Listener = await startListener({
    ...{ app, host, port, clock },
    tls: undefined,
    maxConnections: 100,
    signal: new AbortController().signal,
    onConnectionError: () => undefined,
  });
  return { url: listener.url, stop: () => listener.close(1000) };
}
