/** The broker as operators run it: a process of its own that reads a configuration file and obeys signals. */

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { configText } from '../../emulators/config-text.ts';
import type { BrokerUrls } from '../../src/broker/listeners.ts';
import type { ConfigInput } from './broker-fixture.ts';

export interface BrokerProcess {
  readonly urls: BrokerUrls;
  readonly pid: number;
  /** Everything on standard error so far, which is the log. */
  readonly logText: string;
  /** Whether the log is read, as it is at first. */
  readLog(read: boolean): void;
  signal(signal: NodeJS.Signals): void;
  /** Exit code, or the name of the signal that ended it. */
  readonly exit: Promise<number | string>;
}

export interface BrokerProcessOptions {
  readonly readyFile?: string;
  /** Besides the environment of the tests. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the one that `npm test` compiles. */
  readonly main?: string;
}

/** Compiled by `npm test` before the tests. */
const compiledMain = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** `directory` keeps the files that belong to it, and is where it runs. */
export async function startBrokerProcess(
  directory: string,
  config: ConfigInput,
  {
    readyFile = join(directory, 'ready.json'),
    env = {},
    main = compiledMain,
  }: BrokerProcessOptions = {},
): Promise<BrokerProcess> {
  const configFile = join(directory, 'config.yaml');
  writeFileSync(configFile, configText(config));
  const ready = appearance(directory, 'ready.json');
  const words = [
    process.execPath,
    main,
    'serve',
    '--config',
    configFile,
    '--ready-file',
    readyFile,
  ];
  // Without core files, as docs/deployment.md has it.
  const child = spawn('bash', ['--norc', '-c', 'ulimit -c 0; exec "$@"', 'bash', ...words], {
    cwd: directory,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let logText = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    logText += text;
  });
  const exit = exitOf(child);
  const ended = exit.then((how) => {
    throw new Error(`the broker ended with ${how}: ${logText}`);
  });
  try {
    await Promise.race([ready, ended]);
  } finally {
    ended.catch(() => undefined);
  }
  return {
    urls: JSON.parse(readFileSync(readyFile, 'utf8')) as BrokerUrls,
    pid: child.pid ?? 0,
    get logText() {
      return logText;
    },
    readLog: (read) => void (read ? child.stderr.resume() : child.stderr.pause()),
    signal: (signal) => void child.kill(signal),
    exit,
  };
}

function appearance(directory: string, file: string): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(directory, (_event, name) => {
      if (name !== file) return;
      watcher.close();
      resolve();
    });
    watcher.unref();
  });
}

function exitOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    // After the output has been read to its end.
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'nothing'));
  });
}
