/**
 * boto3, and version 1 of the AWS CLI, in one virtual environment; and a boto3 of 2023, which knows neither
 * AWS_ENDPOINT_URL_STS nor the file form of the container protocol. Version 2 of the AWS CLI is in no registry.
 */

import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pythonTool, pythonVersion, virtualEnvironment } from '../virtual-environment.js';
import { checkSdk } from './check.js';

const sources = fileURLToPath(new URL('python', import.meta.url));
const olderSources = fileURLToPath(new URL('python-older', import.meta.url));

export const python = {
  name: 'python',
  tools: [pythonTool],
  async run({ directory, stack, say }) {
    const bin = await prepared(sources, join(directory, '..', 'boto'), say);
    const tried = await checkSdk({
      language: this.name,
      command: join(bin, 'python'),
      args: [join(sources, 'whoami.py')],
      directory,
      stack,
      say,
    });
    return `boto3 ${pinned(sources, 'boto3')}, Python ${pythonVersion()}: ${tried}`;
  },
};

export const pythonOlder = {
  name: 'python-older',
  tools: [pythonTool],
  async run({ directory, stack, say }) {
    const bin = await prepared(olderSources, join(directory, 'boto'), say);
    const tried = await checkSdk({
      language: this.name,
      command: join(bin, 'python'),
      args: [join(olderSources, 'whoami.py')],
      directory,
      stack,
      say,
    });
    return `boto3 ${pinned(olderSources, 'boto3')}, Python ${pythonVersion()}: ${tried}`;
  },
};

export const awsCli = {
  name: 'aws-cli',
  tools: [pythonTool],
  async run({ directory, stack, say }) {
    const bin = await prepared(sources, join(directory, '..', 'boto'), say);
    const tried = await checkSdk({
      language: this.name,
      command: join(bin, 'aws'),
      args: ['sts', 'get-caller-identity', '--query', 'Arn', '--output', 'text'],
      directory,
      stack,
      say,
    });
    return `AWS CLI ${pinned(sources, 'awscli')}, Python ${pythonVersion()}: ${tried}`;
  },
};

async function prepared(from, directory, say) {
  mkdirSync(directory, { recursive: true });
  cpSync(from, directory, { recursive: true });
  return await virtualEnvironment(directory, say);
}

function pinned(from, name) {
  const pins = readFileSync(join(from, 'requirements.txt'), 'utf8');
  return new RegExp(`^${name}==(.+)$`, 'm').exec(pins)?.[1];
}
