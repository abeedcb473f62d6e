/** `npm run conformance:emulators`: emulators of AWS that nobody here wrote judge the doctor, commands of docs, the readers of a trail, and edits of the table. */

import { runSuite } from '../suite.js';
import { ministack } from './ministack.js';
import { moto } from './moto.js';
import { setupPages } from './setup-pages.js';
import { trail } from './trail.js';

await runSuite({
  name: 'emulators',
  about: `moto (Python's): \`token-broker doctor\` against its IAM, user pools and table, every cure run by the AWS CLI, and
the commands of docs/aws-setup.md and docs/web-identity.md, and \`token-broker cloudtrail\` against its S3, SQS and SNS. ministack (Python's): a storm of edits on its DynamoDB.`,
  languages: [moto, setupPages, trail, ministack],
});
