/** AWS SDK for JavaScript v3, as this repository's package-lock.json pins it. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { checkSdk } from './check.js';

const program = fileURLToPath(new URL('javascript/whoami.js', import.meta.url));
const repositoryPackage = new URL('../../package.json', import.meta.url);

export const javascript = {
  name: 'javascript',
  tools: [],
  async run({ directory, stack, say }) {
    const { dependencies } = JSON.parse(readFileSync(repositoryPackage, 'utf8'));
    const tried = await checkSdk({
      language: this.name,
      command: process.execPath,
      args: [program],
      directory,
      stack,
      say,
    });
    const version = dependencies['@aws-sdk/client-sts'];
    return `@aws-sdk/client-sts ${version}, Node ${process.version}: ${tried}`;
  },
};
