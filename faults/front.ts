import { Agent, createServer, request, type ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { performance } from 'node:perf_hooks';

/** What stands in front of a dependency does with the requests that come for it. */
export type FrontFault =
  /** Nothing listens. */
  | { readonly kind: 'refuse' }
  /** Connections are cut as soon as a request arrives. */
  | { readonly kind: 'reset' }
  /** Requests are taken and never answered. */
  | { readonly kind: 'hang' }
  /** Answers come so much later. */
  | { readonly kind: 'delay'; readonly ms: number }
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly contentType: string;
      readonly body: string;
    };

/** One request that arrived, and its answer if it was handed on. */
export interface FrontCall {
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly body: Buffer;
  answer: Buffer | undefined;
}

export interface Front {
  readonly url: string;
  readonly calls: number;
  /** Monotonic milliseconds at which each request arrived. */
  readonly arrivals: readonly number[];
  readonly fault: FrontFault | undefined;
  /** From now on; without an argument, everything is handed on. */
  setFault(fault?: FrontFault): Promise<void>;
  stop(): Promise<void>;
}

export interface FrontOptions {
  /** What it stands in front of: `http://host:port`. */
  readonly upstream: string;
  /** Sees each exchange that was handed on. */
  readonly onCall?: (call: FrontCall) => void;
}

let fronts = 0;

/** An address of its own, so that nobody takes the port while nothing listens there. */
function ownAddress(): string {
  if (process.platform !== 'linux') return '127.0.0.1';
  fronts += 1;
  return `127.${1 + (process.pid % 250)}.${Math.floor(fronts / 250) % 250}.${1 + (fronts % 250)}`;
}

/** Starts a reverse proxy on loopback whose behaviour can be changed at any time. */
export async function startFront({ upstream, onCall }: FrontOptions): Promise<Front> {
  const { hostname, port } = new URL(upstream);
  if (isIP(hostname) !== 4 || !hostname.startsWith('127.')) throw new Error('loopback only');
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const arrivals: number[] = [];
  let fault: FrontFault | undefined;

  const server = createServer((req, res) => {
    const call = { at: performance.now(), chunks: [] as Buffer[] };
    arrivals.push(call.at);
    req.on('data', (chunk: Buffer) => call.chunks.push(chunk));
    req.on('error', () => res.destroy());
    req.on('end', () => {
      const { method = 'GET', url = '/', headers } = req;
      const sent = { at: call.at, body: Buffer.concat(call.chunks) };
      answer(res, () => handOn({ method, url, headers }, sent, res));
    });
  });

  function answer(res: ServerResponse, pass: () => void): void {
    switch (fault?.kind) {
      case undefined:
      case 'refuse':
        pass();
        return;
      case 'reset':
        res.socket?.resetAndDestroy();
        return;
      case 'hang':
        return;
      case 'delay': {
        const timer = setTimeout(pass, fault.ms);
        res.once('close', () => clearTimeout(timer));
        return;
      }
      case 'answer':
        res.writeHead(fault.status, { 'content-type': fault.contentType }).end(fault.body);
        return;
    }
  }

  function handOn(
    head: { method: string; url: string; headers: NodeJS.Dict<string | string[]> },
    sent: { at: number; body: Buffer },
    res: ServerResponse,
  ): void {
    const onward = request(
      { host: hostname, port, agent, method: head.method, path: head.url, headers: head.headers },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', () => res.destroy());
        incoming.on('end', () => {
          const body = Buffer.concat(chunks);
          onCall?.({ ...sent, answer: body });
          const { connection: _, 'keep-alive': __, ...headers } = incoming.headers;
          res.writeHead(incoming.statusCode ?? 502, headers).end(body);
        });
      },
    );
    onward.on('error', () => res.destroy());
    onward.end(sent.body);
  }

  // Node's default: clients are told, and leave in time.
  server.keepAliveTimeout = 5_000;
  const listen = (host: string, at: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(at, host, () => {
        server.off('error', reject);
        resolve();
      });
    });
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });

  await listen(ownAddress(), 0);
  const address = server.address() as AddressInfo;
  return {
    url: `http://${address.address}:${address.port}`,
    get calls() {
      return arrivals.length;
    },
    arrivals,
    get fault() {
      return fault;
    },
    async setFault(next) {
      fault = next;
      if (next?.kind === 'refuse') await close();
      else if (!server.listening) await listen(address.address, address.port);
    },
    async stop() {
      agent.destroy();
      if (server.listening) await close();
    },
  };
}
