/** `npm run conformance:sdks`: AWS SDKs as they come, with nothing but environment variables, against the broker. */

import { runSuite } from '../suite.js';
import { go } from './go.js';
import { java } from './java.js';
import { javascript } from './javascript.js';
import { awsCli, python, pythonOlder } from './python.js';
import { restarts } from './restarts.js';
import { rust } from './rust.js';

await runSuite({
  name: 'sdks',
  about: `Has unmodified AWS SDKs get credentials from the broker in the local stack, by the container-credentials protocol,
the STS query protocol, credential_process and the agent: two callers who learn their own identity, and one who is
denied and must see what docs/clients.md says. "restarts" kills the broker over and over under 50 SDK clients, for a minute.`,
  languages: [javascript, python, pythonOlder, awsCli, go, java, rust, restarts],
});
