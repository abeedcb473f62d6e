import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from '@jest/globals';
import { fetchJwks } from '../../../src/identity/keys/jwks-fetch.ts';
import { systemClock } from '../../../src/kit/timing/clock.ts';

it('a body that stalls is given up at the deadline, whatever the garbage collector takes away', async () => {
  setFlagsFromString('--expose-gc');
  const server = createServer((_req, res) => void res.writeHead(200).write('{'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const collecting = setInterval(runInNewContext('gc') as () => void, 20);
  try {
    const { port } = server.address() as AddressInfo;
    const { signal: givenUp } = new AbortController();
    const limits = { clock: systemClock, timeoutMs: 400, maxBytes: 1024, givenUp };
    await expect(fetchJwks(`http://127.0.0.1:${port}`, limits)).rejects.toThrow(/timeout/);
  } finally {
    clearInterval(collecting);
    server.closeAllConnections();
    server.close();
  }
});
