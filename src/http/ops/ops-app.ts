/** The ops listener: probes and metrics. Nothing here is secret, and nothing here is for callers. */

import type { Express, Response } from 'express';
import type { Registry } from 'prom-client';
import type { Admission } from '../admission.ts';
import { expressApp, otherMethods, unmatched } from '../express-app.ts';
import type { Instrument, RouteHandler } from '../instrument.ts';
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
  readonly admit: Admission;
}

export function opsApp({ registry, readiness, route, admit }: OpsAppOptions): Express {
  const app = expressApp();
  const get = (path: string, handler: RouteHandler) => {
    app.get(path, route(path, handler));
    app.all(path, route(path, otherMethods(admit, 'GET')));
  };
  get('/livez', (req, res) => {
    admit(req);
    sendText(res, 200, 'ok\n');
  });
  get('/readyz', (req, res) => {
    admit(req);
    const checks = readiness();
    const ready = checks.every(({ ok }) => ok);
    const lines = checks.map(
      ({ name, ok }) => `[${ok ? '+' : '-'}]${name} ${ok ? 'ok' : 'failed'}\n`,
    );
    sendText(res, ready ? 200 : 503, lines.join(''));
  });
  get('/metrics', async (req, res) => {
    admit(req);
    sendText(res, 200, await registry.metrics(), registry.contentType);
  });
  unmatched(app, route, admit);
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
