/** One slice of load against a server, and what it cost that server. */

import { once } from 'node:events';
import { startNode, usageOf } from './processes.js';

/** `orders` as load.js reads them; without a status 200 is expected. */
export async function runLoad({ child, url }, orders) {
  const generator = startNode(1, ['bench/load.js'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const before = usageOf(child.pid);
  generator.stdin.end(
    JSON.stringify({ host: url.hostname, port: Number(url.port), status: 200, ...orders }),
  );
  let text = '';
  generator.stdout.on('data', (chunk) => {
    text += chunk;
  });
  await once(generator, 'close');
  const after = usageOf(child.pid);
  return {
    ...JSON.parse(text),
    cpuSeconds: after?.cpuSeconds - before?.cpuSeconds,
    rssMiB: after?.rssMiB ?? Number.NaN,
  };
}
