/** An HTTP server on loopback that answers as a test tells it to, and keeps what it was asked. */

import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { closeServer, listenOnLoopback, staysOpen } from '../../emulators/loopback-http.ts';

export interface ScriptedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export type ScriptedReply =
  /** Never answers. */
  | 'hang'
  /** Drops the connection. */
  | 'reset'
  /** 200 and then bytes without end. */
  | 'endless'
  | {
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      /** Text as it is, everything else as JSON. */
      readonly body?: unknown;
    };

export type Script = (request: ScriptedRequest) => ScriptedReply | Promise<ScriptedReply>;

export interface ScriptedServer {
  readonly url: string;
  readonly requests: readonly ScriptedRequest[];
  /** From now on. */
  script: Script;
  stop(): Promise<void>;
}

export async function startScriptedServer(initial: Script): Promise<ScriptedServer> {
  const requests: ScriptedRequest[] = [];
  let script = initial;
  const server = createServer(staysOpen, async (req, res) => {
    let body = '';
    for await (const chunk of req) body += chunk;
    const { method = '', url = '', headers } = req;
    const request = { method, path: url, headers, body };
    requests.push(request);
    reply(res, await script(request));
  });
  const url = await listenOnLoopback(server);
  return {
    url,
    requests,
    get script() {
      return script;
    },
    set script(next) {
      script = next;
    },
    stop: () => closeServer(server),
  };
}

function reply(res: ServerResponse, answer: ScriptedReply): void {
  if (answer === 'hang') return;
  if (answer === 'reset') {
    res.socket?.resetAndDestroy();
    return;
  }
  if (answer === 'endless') {
    res.writeHead(200, { 'content-type': 'application/json' });
    writeForEver(res);
    return;
  }
  const { status = 200, headers = {}, body = '' } = answer;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
}

function writeForEver(res: ServerResponse): void {
  if (res.destroyed) return;
  res.write(' '.repeat(4096), () => setImmediate(writeForEver, res));
}
