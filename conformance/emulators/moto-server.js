/** moto in a process of its own, and the AWS CLI beside it. */

import { join } from 'node:path';
import { pythonTool } from '../virtual-environment.js';
import { emulatorsEnvironment, withServer } from './python-server.js';

export const motoTools = [pythonTool, { name: 'bash', command: 'bash', args: ['--version'] }];

/** For whoever asks moto: with keys that it takes, and nothing of this machine's own. */
export const motoKeys = {
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_DEFAULT_REGION: 'us-east-1',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_PAGER: '',
};

/** Calls `use({ url, env })` while it runs; `env` is for shells in which `aws` is the AWS CLI. */
export async function withMoto({ directory, say, settings }, use) {
  const bin = await emulatorsEnvironment(join(directory, '..'), say);
  const start = (port) => ({
    command: join(bin, 'moto_server'),
    args: ['-H', '127.0.0.1', '-p', String(port)],
    env: settings,
  });
  const env = { ...motoKeys, PATH: `${bin}:${process.env.PATH}` };
  return await withServer({ directory, start }, (url) => use({ url, env }));
}
