/** A static host on loopback, as a bucket is: serves the files of a folder, or what a test puts in their place. */

import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { closeServer, listenOnLoopback, staysOpen } from '../../emulators/loopback-http.ts';

export interface DocumentHost {
  readonly url: string;
  cacheControl: string;
  /** Paths that were asked for, in order. */
  readonly asked: string[];
  /** Every answer, from now on; undefined: the files. `silent`: none ever. */
  answer: { readonly status: number; readonly body: string } | 'silent' | undefined;
  stop(): Promise<void>;
}

export async function startDocumentHost(folder: string): Promise<DocumentHost> {
  const server = createServer(staysOpen, (req, res) => {
    host.asked.push(req.url ?? '');
    if (host.answer === 'silent') return;
    const file = join(folder, req.url ?? '');
    const found = existsSync(file) ? { status: 200, body: readFileSync(file, 'utf8') } : undefined;
    const { status, body } = host.answer ?? found ?? { status: 404, body: '' };
    res.writeHead(status, {
      'content-type': 'application/json',
      'cache-control': host.cacheControl,
    });
    res.end(body);
  });
  const host: DocumentHost = {
    url: await listenOnLoopback(server),
    cacheControl: 'public, max-age=300',
    asked: [],
    answer: undefined,
    stop: () => closeServer(server),
  };
  return host;
}
