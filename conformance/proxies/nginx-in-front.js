/** nginx with the configuration of docs/deployment.md. */

import { versionOf } from '../commands.js';
import { adapted, configurationOf, tryInFront } from './in-front.js';
import { nginxConfiguration } from './nginx-configuration.js';

export const nginxInFront = {
  name: 'nginx-tls',
  tools: [
    { name: 'nginx', command: 'nginx', args: ['-v'] },
    { name: 'openssl', command: 'openssl', args: ['version'] },
  ],
  async run({ say }) {
    say('three brokers behind nginx with TLS');
    await tryInFront({
      command: 'nginx',
      args: (file) => ['-e', 'stderr', '-c', file],
      configuration,
    });
    return `${versionOf('nginx', ['-v'])}: docs/deployment.md in front of three brokers`;
  },
};

function configuration({ port, tls, brokers, directory }) {
  const servers = adapted(configurationOf('nginx'), [
    ...brokers.map(({ api }, index) => [`10.20.0.1${index + 1}:8080`, api]),
    ['listen 443 ssl', `listen 127.0.0.1:${port} ssl`],
    ['/etc/nginx/tls/tls.crt', tls.certificate],
    ['/etc/nginx/tls/tls.key', tls.key],
  ]);
  return nginxConfiguration(directory, [servers]);
}
