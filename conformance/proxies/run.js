/** `npm run conformance:proxies`: proxies and programs of Debian in front of the broker, as they come. */

import { runSuite } from '../suite.js';
import { curl } from './curl.js';
import { haproxy } from './haproxy.js';
import { haproxyInFront } from './haproxy-in-front.js';
import { nginx } from './nginx.js';
import { nginxInFront } from './nginx-in-front.js';

await runSuite({
  name: 'proxies',
  about: `Puts nginx and HAProxy in front of the broker in the local stack, with the settings that they have by default, and in
front of three with those of docs/deployment.md, and asks it with curl, which offers HTTP/2.`,
  languages: [nginx, nginxInFront, haproxy, haproxyInFront, curl],
});
