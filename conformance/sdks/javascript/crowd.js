/**
 * Many SDK clients, each with credentials of its own, which ask who they are until standard input ends. Says "ready"
 * when each has been answered, and at the end what happened, as a line of JSON.
 */

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { fromTokenBroker } from '../../../dist/client/entries/credentials.js';

const { CLIENTS, IDENTITY_URL, BROKER_URL, TOKEN_FILE } = process.env;
const pauseMs = 200;
const result = { calls: 0, renewals: 0, failures: [] };
const stop = new AbortController();

async function asks(sts, onAnswer) {
  let known;
  while (!stop.signal.aborted) {
    const left = () => (known?.expiration.getTime() ?? 0) - Date.now();
    const leftAtStartMs = left();
    try {
      await sts.send(new GetCallerIdentityCommand({}));
      const credentials = await sts.config.credentials();
      if (known !== undefined && credentials.accessKeyId !== known.accessKeyId)
        result.renewals += 1;
      known = credentials;
      onAnswer();
    } catch ({ name, message }) {
      result.failures.push({ leftAtStartMs, leftAtEndMs: left(), name, message });
    }
    result.calls += 1;
    await sleep(pauseMs * (0.5 + Math.random()));
  }
}

function client() {
  const library = { url: BROKER_URL, token: { file: TOKEN_FILE } };
  return new STSClient({
    endpoint: IDENTITY_URL,
    ...(BROKER_URL === undefined ? {} : { credentials: fromTokenBroker(library) }),
  });
}

const answered = new Set();
const loops = Array.from({ length: Number(CLIENTS) }, (_, index) =>
  asks(client(), () => {
    if (!answered.has(index) && answered.add(index).size === Number(CLIENTS)) console.log('ready');
  }),
);
await once(process.stdin.resume(), 'end');
stop.abort();
await Promise.all(loops);
console.log(JSON.stringify(result));
