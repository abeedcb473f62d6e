/**
 * The console: static files for browsers on the admin listener, for anybody, since there is nothing in them. Whatever
 * its pages show and do is the admin API's, with the token of whoever looks at them.
 */

import type { Express, Response } from 'express';
import type { AdminPermission } from '../../core/admin-access.ts';
import { BrokerError } from '../../core/errors.ts';
import type { AdmittedRequest } from '../admission.ts';
import { admitting } from '../arrival.ts';
import { noteForAnybody } from '../connection-room.ts';
import { otherMethods } from '../express-app.ts';
import type { Instrument } from '../instrument.ts';
import type { ConsoleFile } from './console-files.ts';
import { consoleHeaders } from './console-headers.ts';

/** What the page must know to let somebody sign in; none of it is secret. */
export interface ConsoleSignIn {
  readonly clientId: string;
  /** `iss` of the tokens, and of answers that say where they are from. */
  readonly issuer: string;
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  /** Ends the session of the sign-in, and leads back. */
  readonly logoutEndpoint: string;
  readonly scopes: Readonly<Record<AdminPermission, string>>;
}

export interface Console {
  /** Scheme, name and port by which browsers know this listener; undefined before it listens. */
  readonly origin: () => string | undefined;
  readonly files: () => ReadonlyMap<string, ConsoleFile>;
  readonly signIn: ConsoleSignIn;
}

export interface ServeConsoleOptions extends Console {
  readonly route: Instrument;
}

export function serveConsole(app: Express, options: ServeConsoleOptions): void {
  const { origin, files, signIn, route } = options;
  const headers = consoleHeaders(new URL(signIn.tokenEndpoint).origin);
  const settings: ConsoleFile = {
    contentType: 'application/json',
    bytes: Buffer.from(JSON.stringify(signIn)),
    immutable: false,
  };
  const send = (res: Response, file: ConsoleFile, requestId: string) => {
    noteForAnybody(res);
    res.writeHead(200, [
      ...headers(res.socket),
      'Cache-Control',
      file.immutable ? 'public, max-age=31536000, immutable' : 'no-store',
      'X-Request-Id',
      requestId,
      'Content-Type',
      file.contentType,
      'Content-Length',
      String(file.bytes.length),
    ]);
    res.end(file.bytes);
  };
  const get = (template: string, handler: (req: AdmittedRequest, requestId: string) => void) => {
    const path = template.replaceAll(/\{(\w+)\}/g, ':$1');
    const open = admitting((req, { requestId }) => {
      requireOwnHost(req, origin());
      handler(req, requestId);
    });
    app.get(path, route(template, open));
    app.all(path, route(template, otherMethods(['GET'])));
  };
  get('/console', ({ res }) => {
    res.writeHead(308, [...headers(res.socket), 'Location', '/console/', 'Content-Length', '0']);
    res.end();
  });
  get('/console/', ({ res }, requestId) => {
    send(res, files().get('index.html') as ConsoleFile, requestId);
  });
  get('/console/{file}', ({ res, params }, requestId) => {
    const name = String(params['file']);
    const file = name === 'sign-in.json' ? settings : files().get(name);
    if (file === undefined) {
      throw new BrokerError('route_not_found', { detail: 'The console is at /console/.' });
    }
    send(res, file, requestId);
  });
}

/** Another name for this address is another origin to browsers, and whoever made it up can read what is shown there. */
function requireOwnHost({ headers }: AdmittedRequest, origin: string | undefined): void {
  const own = origin === undefined ? undefined : new URL(origin);
  if (own !== undefined && hostAt(own.protocol, headers.host) === own.host) return;
  throw new BrokerError('host_unknown', {
    detail: `Open the console at ${own?.origin ?? ''}/console/. A proxy in front must pass on the Host.`,
  });
}

/** As URLs have it: in lower case, without the port that the scheme has by itself. Admission has checked the form. */
function hostAt(protocol: string, host: string | undefined): string | undefined {
  return URL.canParse(`${protocol}//${host}`) ? new URL(`${protocol}//${host}`).host : undefined;
}
