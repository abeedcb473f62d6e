import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from '@jest/globals';
import { requestCredentials } from '../../src/client/broker-client.ts';
import { startOddBroker } from '../support/odd-broker.ts';

it('ends at its deadline in the middle of the body, whatever the garbage collector takes away', async () => {
  setFlagsFromString('--expose-gc');
  const collecting = setInterval(runInNewContext('gc') as () => void, 20);
  const odd = await startOddBroker((_req, res) => void res.writeHead(200).write('{'));
  try {
    const request = { url: odd.url, token: 'header.payload.signature', timeoutMs: 400 };
    await expect(requestCredentials(request)).rejects.toMatchObject({ code: 'broker_timeout' });
  } finally {
    clearInterval(collecting);
    await odd.stop();
  }
});
