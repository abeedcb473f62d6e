/** The ways by which an unmodified SDK gets credentials from the broker: environment variables, and nothing else. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const tokenBroker = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const agentStartMs = 20_000;

/**
 * `name` → function of `{ directory, urls, mapping, token }`, which returns `{ env, stop }`. GetCallerIdentity goes to
 * the STS of the local stack, except with the STS protocol, which has the broker answer it.
 */
export const ways = {
  container,
  'container-token': containerToken,
  sts,
  'credential-process': credentialProcess,
  agent,
  'agent-token': (caller) => agent(caller, 'envForOlderSdks'),
};

function container({ directory, urls, mapping, token }) {
  return {
    env: {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${urls.broker}/v1/credentials/${mapping}`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: written(
        directory,
        'authorization',
        `Bearer ${token}`,
      ),
      AWS_ENDPOINT_URL_STS: urls.sts,
    },
  };
}

/** For SDKs that do not know the file. */
function containerToken({ urls, mapping, token }) {
  return {
    env: {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${urls.broker}/v1/credentials/${mapping}`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: `Bearer ${token}`,
      AWS_ENDPOINT_URL_STS: urls.sts,
    },
  };
}

function sts({ directory, urls, mapping, token }) {
  return {
    env: {
      AWS_ENDPOINT_URL_STS: `${urls.broker}/sts`,
      AWS_ROLE_ARN: `arn:aws:iam::123456789012:role/broker/${mapping}`,
      // As an editor leaves it.
      AWS_WEB_IDENTITY_TOKEN_FILE: written(directory, 'token', `${token}\n`),
    },
  };
}

function credentialProcess({ directory, urls, mapping, token }) {
  const caller = callerArguments({ directory, urls, mapping, token });
  const command = [process.execPath, tokenBroker, 'credential-process', ...caller, '--no-cache'];
  const config = `[profile broker]\ncredential_process = ${command.join(' ')}\n`;
  return {
    env: {
      AWS_CONFIG_FILE: written(directory, 'config', config),
      AWS_PROFILE: 'broker',
      AWS_ENDPOINT_URL_STS: urls.sts,
    },
  };
}

async function agent({ directory, urls, mapping, token }, form = 'env') {
  const readyFile = join(directory, 'agent-ready.json');
  rmSync(readyFile, { force: true });
  const files = ['--authorization-file', join(directory, 'agent-authorization')];
  const caller = callerArguments({ directory, urls, mapping, token });
  const child = spawn(
    process.execPath,
    [tokenBroker, 'agent', ...caller, ...files, '--ready-file', readyFile],
    { stdio: 'ignore' },
  );
  const ended = once(child, 'exit');
  const deadline = performance.now() + agentStartMs;
  while (!existsSync(readyFile)) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error('the agent did not start');
    }
    await sleep(20);
  }
  const env = JSON.parse(readFileSync(readyFile, 'utf8'))[form];
  return {
    env: { ...env, AWS_ENDPOINT_URL_STS: urls.sts },
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function callerArguments({ directory, urls, mapping, token }) {
  const tokenFile = written(directory, 'token', token);
  return ['--broker', urls.broker, '--role', mapping, '--token-file', tokenFile];
}

function written(directory, name, content) {
  const file = join(directory, name);
  writeFileSync(file, content, { mode: 0o600 });
  return file;
}
