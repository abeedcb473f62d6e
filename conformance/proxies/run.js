/** `npm run conformance:proxies`: proxies and programs of Debian in front of the broker, as they come. */

import { runSuite } from '../suite.js';
import { curl } from './curl.js';
import { haproxy } from './haproxy.js';
import { nginx } from './nginx.js';

await runSuite({
  name: 'proxies',
  about: `Puts nginx and HAProxy in front of the broker in the local stack, with the settings that they have by default and with
those of docs/deployment.md, and asks it with curl, which offers HTTP/2.`,
  languages: [nginx, haproxy, curl],
});
