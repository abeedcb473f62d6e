/** boto3, and version 1 of the AWS CLI, in one virtual environment. Version 2 of the AWS CLI is in no registry. */

import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pythonTool, pythonVersion, virtualEnvironment } from '../virtual-environment.js';
import { checkSdk } from './check.js';

const sources = fileURLToPath(new URL('python', import.meta.url));

export const python = {
  name: 'python',
  tools: [pythonTool],
  async run({ directory, stack, say }) {
    const bin = await prepared(directory, say);
    const tried = await checkSdk({
      language: this.name,
      command: join(bin, 'python'),
      args: [join(sources, 'whoami.py')],
      directory,
      stack,
      say,
    });
    return `boto3 ${pinned('boto3')}, Python ${pythonVersion()}: ${tried}`;
  },
};

export const awsCli = {
  name: 'aws-cli',
  tools: [pythonTool],
  async run({ directory, stack, say }) {
    const bin = await prepared(directory, say);
    const tried = await checkSdk({
      language: this.name,
      command: join(bin, 'aws'),
      args: ['sts', 'get-caller-identity', '--query', 'Arn', '--output', 'text'],
      directory,
      stack,
      say,
    });
    return `AWS CLI ${pinned('awscli')}, Python ${pythonVersion()}: ${tried}`;
  },
};

async function prepared(directory, say) {
  const shared = join(directory, '..', 'boto');
  mkdirSync(shared, { recursive: true });
  cpSync(sources, shared, { recursive: true });
  return await virtualEnvironment(shared, say);
}

function pinned(name) {
  const pins = readFileSync(join(sources, 'requirements.txt'), 'utf8');
  return new RegExp(`^${name}==(.+)$`, 'm').exec(pins)?.[1];
}
