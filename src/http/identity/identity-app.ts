/** The identity listener: the two public documents of the broker as an issuer. Nothing here is secret. */

import type { Express } from 'express';
import { admitting } from '../arrival.ts';
import { expressApp, otherMethods, unmatched } from '../express-app.ts';
import type { Instrument } from '../instrument.ts';
import { responseHeaders } from '../response-headers.ts';

export interface IdentityAppOptions {
  /** Path of the issuer, without a final slash. */
  readonly below: string;
  readonly paths: readonly string[];
  /** With the keys of the moment. */
  readonly documents: () => readonly { readonly path: string; readonly text: string }[];
  readonly cacheControl: string;
  readonly route: Instrument;
}

export function identityApp(options: IdentityAppOptions): Express {
  const { below, paths, documents, cacheControl, route } = options;
  const app = expressApp();
  for (const path of paths) {
    const name = `/{issuer}${path}`;
    const send = admitting(({ res }) => {
      const body = Buffer.from(documents().find((one) => one.path === path)?.text ?? '');
      res.writeHead(200, [
        ...cacheable(responseHeaders(res.socket), cacheControl),
        'Content-Type',
        'application/json',
        'Content-Length',
        String(body.length),
      ]);
      res.end(body);
    });
    app.get(`${below}${path}`, route(name, send));
    app.all(`${below}${path}`, route(name, otherMethods(['GET'])));
  }
  unmatched(app, route);
  return app;
}

/** Every other answer of this service may not be stored. */
function cacheable(headers: readonly string[], cacheControl: string): readonly string[] {
  const kept: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] as string;
    if (name === 'Pragma' || name === 'Cross-Origin-Resource-Policy') continue;
    kept.push(name, name === 'Cache-Control' ? cacheControl : (headers[at + 1] as string));
  }
  return kept;
}
