/** HAProxy with the configuration of docs/deployment.md. */

import { versionOf } from '../commands.js';
import { adapted, configurationOf, tryInFront } from './in-front.js';

export const haproxyInFront = {
  name: 'haproxy-tls',
  tools: [
    { name: 'haproxy', command: 'haproxy', args: ['-v'] },
    { name: 'openssl', command: 'openssl', args: ['version'] },
  ],
  async run({ say }) {
    say('three brokers behind HAProxy with TLS');
    await tryInFront({ command: 'haproxy', args: (file) => ['-db', '-f', file], configuration });
    return `${versionOf('haproxy', ['-v'])}: docs/deployment.md in front of three brokers`;
  },
};

function configuration({ port, tls, brokers }) {
  return adapted(configurationOf('haproxy'), [
    ...brokers.map(({ api, ops }, index) => [
      `10.20.0.1${index + 1}:8080 port 9090`,
      `${api} port ${new URL(`http://${ops}`).port}`,
    ]),
    ['bind :443', `bind 127.0.0.1:${port}`],
    ['/etc/haproxy/tls.pem', tls.both],
  ]);
}
