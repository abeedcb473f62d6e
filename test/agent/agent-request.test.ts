import type { IncomingMessage } from 'node:http';
import { expect, it } from '@jest/globals';
import { refusals, requestGate } from '../../src/agent/agent-request.ts';

it('takes the name of its machine as clients write it, which leave out the port of http', () => {
  const asked = (port: number, host: string) =>
    requestGate(
      port,
      'Bearer x',
    )({ method: 'GET', headers: { host, authorization: 'Bearer x' } } as IncomingMessage);
  for (const host of ['127.0.0.1', '127.0.0.1:80', 'localhost', 'localhost:80']) {
    expect([host, asked(80, host)]).toEqual([host, undefined]);
  }
  for (const host of ['127.0.0.1', 'localhost', '127.0.0.1:80', 'localhost:80']) {
    expect([host, asked(8080, host)]).toEqual([host, refusals.host]);
  }
});
