/** A wire form is a folder and a line, and no request is answered that admission did not let in. */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Request } from 'express';
import type { BrokerError } from '../../src/core/errors.ts';
import type { Exchange } from '../../src/core/exchange.ts';
import { type AdmittedRequest, admission } from '../../src/http/admission.ts';
import { apiApp } from '../../src/http/api/api-app.ts';
import { overloadGuard } from '../../src/http/api/overload-guard.ts';
import type { RouteHandler } from '../../src/http/arrival.ts';
import { clientIp } from '../../src/http/client-ip.ts';
import { expressApp } from '../../src/http/express-app.ts';
import { exchanging } from '../../src/http/forms/exchanging.ts';
import { formFinder } from '../../src/http/forms/form-finder.ts';
import type { WireForm } from '../../src/http/forms/wire-form.ts';
import { wireForms } from '../../src/http/forms/wire-forms.ts';
import { instrument } from '../../src/http/instrument.ts';
import { readJsonBody } from '../../src/http/json-body.ts';
import { readQuery, requireNoQuery } from '../../src/http/query.ts';
import { RefusalLog } from '../../src/http/refusal-log.ts';
import { type Listener, startListener } from '../../src/http/server.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { sendRaw } from '../support/raw-http.ts';

const src = resolve(import.meta.dirname, '../../src');
const forms = join(src, 'http/forms');
const sources = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => ({ file: join(src, file), text: readFileSync(join(src, file), 'utf8') }));

function importsOf({ file, text }: (typeof sources)[number]): string[] {
  return [...text.matchAll(/from '(\.[^']+)'/g)].map(([, to = '']) => join(dirname(file), to));
}

describe('a wire form', () => {
  const folders = readdirSync(forms, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);

  it('is a folder and a line: nothing else names a file of it', () => {
    expect(wireForms).toHaveLength(folders.length);
    for (const folder of folders) {
      const named = sources
        .filter(({ file }) => !file.startsWith(join(forms, folder, '/')))
        .filter((one) => importsOf(one).some((it) => it.startsWith(join(forms, folder, '/'))))
        .map(({ file }) => relative(src, file));
      expect([folder, named]).toEqual([folder, ['http/forms/wire-forms.ts']]);
    }
  });

  it('has a name of its own, and a method of its own at each of its paths', () => {
    const names = wireForms.map(({ route }) => route);
    expect(new Set(names).size).toBe(names.length);
    const places = wireForms.flatMap(({ method, paths }) => paths.map((it) => `${method} ${it}`));
    expect(new Set(places).size).toBe(places.length);
  });
});

/** A form that only this test speaks. */
const plainText: WireForm = {
  route: '/plain',
  paths: ['/plain', '/plain/:role'],
  method: 'POST',
  ownsPaths: true,
  sendError: sendPlainly,
  handler(parts) {
    const issue = exchanging('/plain', parts, (res, { plan }) => {
      const text = `session of ${plan.roleArn}`;
      res.writeHead(200, ['Content-Length', String(text.length)]).end(text);
    });
    return (arrival, context) =>
      issue(arrival, context, (req) => {
        requireNoQuery(req);
        return { token: 'a token', role: String(req.params['role']), durationSeconds: undefined };
      });
  },
};

function sendPlainly(res: AdmittedRequest['res'], { status, code }: BrokerError): void {
  res.writeHead(status, ['Content-Length', String(code.length)]).end(code);
}

const withoutParts: RouteHandler = (_arrival, _context) => {
  throw new Error('this handler asks nobody');
};

describe('a further wire form', () => {
  let listener: Listener;
  const inFlight = { requests: 0 };
  const refused: unknown[] = [];
  const metrics = createMetrics({ version: '0.0.0', revision: 'unknown', node: process.version });
  const route = instrument({
    clock: systemClock,
    metrics,
    inFlight,
    refusals: new RefusalLog({ logger: createLogger({ level: 'silent' }), clock: systemClock }),
    clientIp: clientIp([]),
    admit: admission({ allowedHosts: new Set(['here']) }),
  });

  beforeAll(async () => {
    const exchange = async (...[_context, read]: Parameters<Exchange>) => {
      try {
        const { role } = await read();
        return { plan: { roleArn: role }, issued: {} };
      } catch (error) {
        refused.push((error as BrokerError).code);
        throw error;
      }
    };
    const app = expressApp();
    app.get('/asks-nobody', route('/asks-nobody', withoutParts));
    const unused = {} as Pick<
      Parameters<typeof apiApp>[0],
      'validator' | 'limit' | 'audit' | 'policy' | 'sessions' | 'accessHelp'
    >;
    const further = [...wireForms, plainText];
    const parts = {
      ...unused,
      exchange: exchange as unknown as Exchange,
      metrics,
      maxBodyBytes: 100,
      clock: systemClock,
    };
    app.use(apiApp({ ...parts, forms: further, route }));
    const guard = overloadGuard({
      inFlight,
      maxInFlight: () => 1,
      shedder: { shedding: false, admits: () => true },
      tokens: { recall: () => undefined, claimedSubject: () => undefined, wasGenuine: () => false },
      clientIp: clientIp([]),
      formOf: formFinder(further),
      onRefused: () => undefined,
    });
    listener = await startListener({
      app,
      guard,
      host: '127.0.0.1',
      port: 0,
      tls: undefined,
      maxConnections: 10,
      clock: systemClock,
      signal: new AbortController().signal,
      onConnectionError: () => undefined,
    });
  });
  afterAll(() => listener.close(0));

  const ask = async (line: string, host = 'here') => {
    const request = `${line} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    const { answers } = await sendRaw(listener.url, request);
    return { status: answers[0]?.status, body: answers[0]?.text };
  };

  it('is answered at its paths', async () => {
    expect(await ask('POST /plain/orders')).toMatchObject({
      status: 200,
      body: 'session of orders',
    });
  });

  it('is printed in its own shape when it is refused, by whichever part', async () => {
    expect(await ask('POST /plain?x=1')).toMatchObject({ status: 400, body: 'query_invalid' });
    expect(await ask('GET /plain')).toMatchObject({ status: 405, body: 'method_not_allowed' });
    inFlight.requests = 1;
    expect(await ask('POST /plain/orders')).toMatchObject({ status: 503, body: 'overloaded' });
    inFlight.requests = 0;
  });

  it('cannot get round admission, whose refusals are the use case’s to record (T132)', async () => {
    refused.length = 0;
    expect(await ask('POST /plain', 'elsewhere')).toMatchObject({ body: 'host_unknown' });
    expect(refused).toEqual(['host_unknown']);
  });

  it('is not answered otherwise by a handler that asks nobody (T132)', async () => {
    expect((await ask('GET /asks-nobody', 'elsewhere')).status).toBe(421);
    expect((await ask('GET /asks-nobody')).status).toBe(500);
  });
});

describe('a request of which nobody knows whether it is admitted (T132)', () => {
  it('can be read by nothing, as the compiler knows', () => {
    const readers = (arrived: Parameters<RouteHandler>[0], req: Request) => {
      // @ts-expect-error the request is behind admission
      arrived.req satisfies unknown;
      // @ts-expect-error and so is its response
      arrived.res satisfies unknown;
      // @ts-expect-error
      requireNoQuery(req);
      // @ts-expect-error
      readQuery(req, {});
      // @ts-expect-error
      void readJsonBody(req, {});
    };
    expect(readers).toBeInstanceOf(Function);
  });

  it('becomes an admitted one in one place', () => {
    const makers = sources.filter(({ text }) => /as (?:unknown as )?AdmittedRequest/.test(text));
    expect(makers.map(({ file }) => relative(src, file))).toEqual(['http/admission.ts']);
  });
});
