/** What the parser of a connection is given at a time (T75): Node parses whatever it is given before it does anything else. */

import { EventEmitter, once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { parseOneAtATime } from '../../src/http/pipelining.ts';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** The parts in which bytes that came in one piece are parsed. */
async function partsOf(text: string): Promise<readonly string[]> {
  const parts: string[] = [];
  const bytes = Buffer.from(text, 'latin1');
  const http = new EventEmitter();
  const allParsed = once(http, 'all parsed');
  parseOneAtATime(http, 'connection');
  const server = createServer((socket: Socket) => {
    let left = bytes.length;
    // In the place of Node's parser.
    socket.on('data', (part: Buffer) => {
      parts.push(part.toString('latin1'));
      left -= part.length;
      if (left === 0) http.emit('all parsed');
    });
    http.emit('connection', socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1', () =>
    client.end(bytes),
  );
  ends.push(() => {
    client.destroy();
    server.close();
  });
  await allParsed;
  return parts;
}

const head = 'POST /v1/credentials HTTP/1.1\r\nHost: broker\r\nContent-Length: 24\r\n\r\n';
const body = '{"durationSeconds":3600}';

describe('bytes of a connection (T75)', () => {
  it('are parsed with their body in one go where they are one request', async () => {
    expect(await partsOf(head + body)).toEqual([head + body]);
    expect(await partsOf(head)).toEqual([head]);
  });

  it('are parsed by one head at a time where there may be another', async () => {
    expect(await partsOf(head + body + head + body)).toEqual([head, body + head + body]);
    expect(await partsOf(head.repeat(4))).toEqual([head, head, head, head]);
  });

  it('are parsed behind the head where a body looks like another one', async () => {
    const odd = `{\r\n\r\n${body.slice(1)}`;
    const parts = await partsOf(head + odd);
    expect(parts[0]).toBe(head);
    expect(parts.join('')).toBe(head + odd);
  });

  it('are all parsed where no head ends in them', async () => {
    expect(await partsOf(body)).toEqual([body]);
  });
});
