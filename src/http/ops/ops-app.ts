/** The ops listener: probes and metrics. Nothing here is secret, and nothing here is for callers. */

import type { Express, Response } from 'express';
import type { Registry } from 'prom-client';
import type { AdmittedRequest } from '../admission.ts';
import { admitting } from '../arrival.ts';
import { expressApp, otherMethods, unmatched } from '../express-app.ts';
import type { Instrument } from '../instrument.ts';
import { responseHeaders } from '../response-headers.ts';

export interface HealthCheck {
  readonly name: string;
  readonly ok: boolean;
}

export interface OpsAppOptions {
  readonly registry: Registry;
  /** What must hold for this instance to be sent requests. */
  readonly readiness: () => readonly HealthCheck[];
  readonly route: Instrument;
}

export function opsApp({ registry, readiness, route }: OpsAppOptions): Express {
  const app = expressApp();
  const get = (path: string, handler: (req: AdmittedRequest) => void | Promise<void>) => {
    app.get(path, route(path, admitting(handler)));
    app.all(path, route(path, otherMethods(['GET'])));
  };
  get('/livez', ({ res }) => {
    sendText(res, 200, 'ok\n');
  });
  get('/readyz', ({ res }) => {
    const checks = readiness();
    const ready = checks.every(({ ok }) => ok);
    const lines = checks.map(
      ({ name, ok }) => `[${ok ? '+' : '-'}]${name} ${ok ? 'ok' : 'failed'}\n`,
    );
    sendText(res, ready ? 200 : 503, lines.join(''));
  });
  get('/metrics', async ({ res }) => {
    sendText(res, 200, await registry.metrics(), registry.contentType);
  });
  unmatched(app, route);
  return app;
}

function sendText(res: Response, status: number, text: string, type = 'text/plain; charset=utf-8') {
  res.writeHead(status, [
    ...responseHeaders(res.socket),
    'Content-Type',
    type,
    'Content-Length',
    String(Buffer.byteLength(text)),
  ]);
  res.end(text);
}
