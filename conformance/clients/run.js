/** `npm run conformance:clients`: clients generated from openapi.yaml, compiled, and used as a developer would. */

import { runSuite } from '../suite.js';
import { go } from './go.js';
import { java, javaNative } from './java.js';
import { python } from './python.js';
import { typescript } from './typescript.js';

await runSuite({
  name: 'clients',
  about: `Generates a client from openapi.yaml in each language, compiles it, and runs a small program with it against
the local stack: exchanges, refusals with typed errors, and an edit of a role mapping under If-Match.`,
  languages: [typescript, python, go, java, javaNative],
});
