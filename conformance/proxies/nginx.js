/** nginx: what it speaks to an upstream by default is HTTP/1.0. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { versionOf } from '../commands.js';
import { nginxConfiguration } from './nginx-configuration.js';
import { ask, checkCredentials, withProxy } from './proxy-process.js';

export const nginx = {
  name: 'nginx',
  tools: [{ name: 'nginx', command: 'nginx', args: ['-v'] }],
  async run({ stack, say }) {
    say('asking through nginx');
    await withProxy({
      command: 'nginx',
      args: (file) => ['-e', 'stderr', '-c', file],
      configuration: (directory) => configuration(directory, stack.urls),
      sockets: ['ops', 'api', 'api11'],
      use: async (directory) => {
        const through = (name) => join(directory, name);
        for (const path of ['/livez', '/readyz', '/metrics']) {
          const { status, text } = await ask(through('ops'), { path });
          assert.equal(status, 200, `${path} over HTTP/1.0: ${status} ${text}`);
        }
        const refused = await ask(through('api'), { path: '/v1/credentials' });
        assert.equal(refused.status, 400, refused.text);
        assert.match(JSON.parse(refused.text).detail, /proxy_http_version 1\.1/);
        await checkCredentials(through('api11'), await stack.token('orders'));
      },
    });
    return `${versionOf('nginx', ['-v'])}: probes by default, credentials over HTTP/1.1`;
  },
};

function configuration(directory, { ops, broker }) {
  const server = (name, url, settings = '') =>
    `server { listen unix:${join(directory, name)}; location / { proxy_pass ${url}; ${settings} } }`;
  const http11 = 'proxy_http_version 1.1; proxy_set_header Connection "";';
  return nginxConfiguration(directory, [
    server('ops', ops),
    server('api', broker),
    server('api11', broker, http11),
  ]);
}
