/** `npm run conformance:rgw`: an STS and an S3 that nobody here wrote judge the broker's own tokens and session policies. */

import { runSuite } from '../suite.js';
import { rgw } from './rgw.js';
import { startRgwStack } from './stack.js';

await runSuite({
  name: 'rgw',
  about: `Starts a Ceph of one node in memory (Debian: radosgw, ceph-mon, ceph-osd), registers the broker there as an issuer, gets
sessions with session policies by it, and uses them on S3: allowed is allowed, denied is denied.`,
  languages: [rgw],
  startStack: startRgwStack,
});
