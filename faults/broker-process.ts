/** The built broker in a process of its own, and what the operating system knows about that process. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { configText } from '../emulators/config-text.ts';
import type { BrokerUrls } from '../src/broker/listeners.ts';
import { pause } from './load.ts';

export interface StartOptions {
  /** Keeps its configuration, log and orders. */
  readonly directory: string;
  readonly config: object;
  /** In front of `node`: a command that limits what the process may use. */
  readonly wrap?: readonly string[];
  readonly nodeArgs: readonly string[];
  /** From the real time, from the first moment on. */
  readonly wallOffsetMs: number;
  /** Files of the directory are numbered by this. */
  readonly number: number;
}

/** How a process ended, and what it printed last. */
export interface Exit {
  readonly code: number | string;
  readonly log: string;
}

export interface ProcessUsage {
  readonly rssMiB: number;
  readonly descriptors: number;
}

/** One that ends is noticed at once: this is for one that hangs, on a machine however busy. */
const startPatienceMs = 120_000;
const threads = 4;

export class BrokerProcess {
  readonly urls: BrokerUrls;
  /** From the start of the process to its first answer of 200 to /readyz, or to the first answer at all. */
  readonly startMs: number;
  readonly #child: ChildProcess;
  readonly #ended: { exit: Exit | undefined };
  readonly #exit: Promise<Exit>;
  readonly #ordersFile: string;
  #pipes: readonly string[] = [];
  #orders = 0;

  static async start(options: StartOptions): Promise<BrokerProcess> {
    const { directory, config, wrap = [], nodeArgs, number, wallOffsetMs } = options;
    mkdirSync(directory, { recursive: true });
    const configFile = join(directory, `config-${number}.yaml`);
    const readyFile = join(directory, `ready-${number}.json`);
    const ordersFile = join(directory, `orders-${number}.json`);
    rmSync(readyFile, { force: true });
    writeFileSync(configFile, configText(config));
    const preload = resolve('faults/preload.js');
    const [command = '', ...args] = [
      ...wrap,
      process.execPath,
      ...nodeArgs,
      ...['--import', preload, 'dist/main.js', 'serve'],
      ...['--config', configFile, '--ready-file', readyFile],
    ];
    const startedAt = performance.now();
    const child = spawn(command, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        AWS_ACCESS_KEY_ID: 'faults',
        AWS_SECRET_ACCESS_KEY: 'faults',
        AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
        FAULTS_ORDERS: ordersFile,
        FAULTS_WALL_OFFSET_MS: String(wallOffsetMs),
      },
    });
    const log = { text: '' };
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      log.text = (log.text + text).slice(-20_000);
    });
    const ended: { exit: Exit | undefined } = { exit: undefined };
    const exit = new Promise<Exit>((settle) => {
      child.once('error', (error) => settle({ code: String(error), log: '' }));
      child.once('close', (code, signal) => settle({ code: code ?? signal ?? '', log: log.text }));
    });
    void exit.then((how) => {
      ended.exit = how;
    });
    const urls = await urlsIn(readyFile, ended);
    return new BrokerProcess({
      child,
      urls,
      startMs: performance.now() - startedAt,
      exit,
      ended,
      ordersFile,
    });
  }

  constructor(parts: {
    readonly child: ChildProcess;
    readonly urls: BrokerUrls;
    readonly startMs: number;
    readonly exit: Promise<Exit>;
    readonly ended: { exit: Exit | undefined };
    readonly ordersFile: string;
  }) {
    this.urls = parts.urls;
    this.startMs = parts.startMs;
    this.#child = parts.child;
    this.#exit = parts.exit;
    this.#ended = parts.ended;
    this.#ordersFile = parts.ordersFile;
  }

  /** Undefined while the process lives. */
  get ended(): Exit | undefined {
    return this.#ended.exit;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Ends or steers this process and no other. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  get exit(): Promise<Exit> {
    return this.#exit;
  }

  async stop(): Promise<Exit> {
    this.unblockDisk();
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    const overdue = setTimeout(() => this.signal('SIGKILL'), 25_000);
    const exit = await this.#exit;
    clearTimeout(overdue);
    return exit;
  }

  /** Status of a probe; 0: no answer. */
  async probe(path: '/livez' | '/readyz', timeoutMs = 2_000): Promise<number> {
    const signal = AbortSignal.timeout(timeoutMs);
    return await fetch(new URL(path, this.urls.ops), { signal }).then(
      async (response) => {
        await response.text();
        return response.status;
      },
      () => 0,
    );
  }

  /** Sum of the series whose text begins like this. */
  async metric(series: string): Promise<number> {
    const text = await (await fetch(new URL('/metrics', this.urls.ops))).text();
    return text
      .split('\n')
      .filter((line) => line.startsWith(series))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  usage(): ProcessUsage {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return {
      rssMiB: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024,
      descriptors: readdirSync(`/proc/${this.pid}/fd`).length,
    };
  }

  /** Puts the clocks of the process off by so much, from their real time. */
  async setClocks(wallOffsetMs: number, monotonicOffsetMs = 0): Promise<void> {
    await this.#order({ wallOffsetMs, monotonicOffsetMs });
  }

  /** No file operation of the process that begins from now on returns. Pipes are made in `directory`. */
  async blockDisk(directory: string): Promise<void> {
    const pipes = Array.from({ length: threads }, (_, index) =>
      join(directory, `pipe-${this.#orders}-${index}`),
    );
    execFileSync('mkfifo', pipes);
    this.#pipes = pipes;
    await this.#order({ block: pipes });
  }

  unblockDisk(): void {
    const writers = this.#pipes.map((pipe) =>
      openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK),
    );
    this.#pipes = [];
    // Only once the other side has had time to open: closed too early, it would wait for ever.
    setTimeout(() => {
      for (const writer of writers) closeSync(writer);
    }, 2_000).unref();
  }

  async #order(orders: object): Promise<void> {
    this.#orders += 1;
    const number = this.#orders;
    writeFileSync(this.#ordersFile, JSON.stringify({ ...orders, number }));
    this.signal('SIGUSR2');
    const done = () => {
      try {
        return readFileSync(`${this.#ordersFile}.done`, 'utf8') === String(number);
      } catch {
        return false;
      }
    };
    while (!done() && this.ended === undefined) await pause(2);
  }
}

async function urlsIn(file: string, ended: { exit: Exit | undefined }): Promise<BrokerUrls> {
  const deadline = performance.now() + startPatienceMs;
  while (performance.now() < deadline) {
    if (ended.exit !== undefined) break;
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as BrokerUrls;
    } catch {
      await pause(10);
    }
  }
  throw new Error(`the broker did not start: ${ended.exit?.code} ${ended.exit?.log}`);
}
