/** What the broker is compared with: `bare` (node:http that ignores the body) and `express` (one plain route). */

import { createServer } from 'node:http';
import express from 'express';

const kind = process.argv[2];
const document = JSON.parse(process.env.BENCH_DOCUMENT ?? '{}');
const body = Buffer.from(JSON.stringify(document));

const handlers = {
  bare(_req, res) {
    res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length });
    res.end(body);
  },
  express: express()
    .use(express.json())
    .post('/v1/credentials', (_req, res) => {
      res.json(document);
    }),
};

const server = createServer(handlers[kind]);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.on('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
