/** Three places for brokers of either release. What a broker leaves in its place, the next one there finds. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { configText } from '../build/emulators/config-text.js';
import { adminSection } from '../build/faults/administrator.js';
import { pool, region, tableName } from '../build/faults/world.js';
import { readyFileOf, startDaemon, waitFor } from './daemon.js';

/** As a load balancer takes an instance out of turn: requests under way have ended by then. */
const outOfTurnMs = 300;
const noLimit = { perSecond: 1_000_000, burst: 1_000_000 };
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
const sdkEnvironment = {
  AWS_ACCESS_KEY_ID: 'conformance',
  AWS_SECRET_ACCESS_KEY: 'conformance',
};

export class Fleet {
  #world;
  #directory;
  #places = new Map();

  #changes;
  #env;

  /** `changes` replace members of sections of each broker's configuration, and `env` where it has its AWS credentials from. */
  constructor(world, directory, changes = {}, env = sdkEnvironment) {
    this.#env = env;
    this.#world = world;
    this.#directory = directory;
    this.#changes = changes;
  }

  /** `{ release, urls }` of those that get requests. */
  get inTurn() {
    return [...this.#places.values()].filter((broker) => broker.inTurn);
  }

  get auditDirectories() {
    return [...this.#places.keys()].map((place) => this.#in(place, 'audit'));
  }

  /** `changes` as for the constructor, for this one broker. */
  async start(place, release, changes = {}) {
    const directory = this.#in(place);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const configFile = join(directory, 'config.yaml');
    const readyFile = join(directory, 'ready.json');
    rmSync(readyFile, { force: true });
    writeConfig(release, configFile, this.#config(place, changes));
    const args = [release.main, 'serve', '--config', configFile, '--ready-file', readyFile];
    const logFile = join(directory, 'log.jsonl');
    const process = startDaemon(globalThis.process.execPath, args, {
      logFile,
      env: this.#env,
    });
    const broker = { release, process, urls: undefined, inTurn: false };
    this.#places.set(place, broker);
    broker.urls = await readyFileOf(process, readyFile);
    await this.#ready(broker);
    broker.inTurn = true;
    return broker;
  }

  /** Ends the broker of that place as an operator does, and says what it ended with. */
  async end(place) {
    const broker = this.#places.get(place);
    broker.inTurn = false;
    await sleep(outOfTurnMs);
    await broker.process.stop();
    const { endedWith } = broker.process;
    if (endedWith !== 0) {
      throw new Error(`${broker.release.name} ended with ${endedWith}:\n${broker.process.said()}`);
    }
  }

  async replace(place, release) {
    await this.end(place);
    return await this.start(place, release);
  }

  /** A configuration of that place with these changes, for commands that read one. */
  configFileWith(place, changes) {
    const file = this.#in(place, 'other-config.yaml');
    writeFileSync(file, configText(this.#config(place, changes)));
    return file;
  }

  async stop() {
    for (const { process } of this.#places.values()) await process.stop();
  }

  #in(place, name = '') {
    return join(this.#directory, place, name);
  }

  async #ready({ urls, process, release }) {
    const isReady = async () => (await fetch(new URL('/readyz', urls.ops))).status === 200;
    const otherwise = `${release.name} did not become ready`;
    await waitFor(isReady, { daemons: [process], otherwise });
  }

  #config(place, changes = {}) {
    const { issuer, fronts, clientIds } = this.#world;
    const jwksUri = `${fronts.jwks.url}${new URL(issuer.jwksUri).pathname}`;
    const sections = {
      listeners: { api: { port: 0 }, admin: { port: 0 }, ops: { port: 0 } },
      http: { drainSeconds: 0.2, shutdownSeconds: 10 },
      identity: { userPools: [{ pool, issuer: issuer.url, jwksUri, clients: clientIds }] },
      keys: { directory: this.#in(place, 'keys') },
      policy: {
        table: tableName,
        region,
        endpoint: fronts.dynamodb.url,
        snapshotFile: join(this.#in(place, 'policy'), 'snapshot.json'),
      },
      // Deadlines are the faults laboratory's matter: here a busy machine is not to look like an outage.
      sts: {
        endpoints: [{ region, endpoint: fronts.sts.url }],
        perAccount: noLimit,
        connectTimeoutMs: 10_000,
        requestTimeoutMs: 10_000,
        totalTimeoutMs: 30_000,
      },
      limits: { perCaller: noLimit, failedTokensPerAddress: noLimit, maxEventLoopDelayMs: 10_000 },
      audit: { directory: this.#in(place, 'audit'), deadlineMs: 10_000 },
      admin: adminSection(this.#world),
      log: { level: 'warn' },
    };
    for (const changed of [this.#changes, changes]) {
      for (const [name, members] of Object.entries(changed)) {
        sections[name] = { ...sections[name], ...members };
      }
    }
    return { profile: 'development', ...sections };
  }
}

/** In the words of today; where that release does not know who is a machine, in those of 0.1.0. */
function writeConfig(release, file, config) {
  writeFileSync(file, configText(config));
  if (accepts(release, file)) return;
  const { machines, ...admin } = config.admin;
  writeFileSync(file, configText({ ...config, admin }));
}

function accepts({ main }, file) {
  try {
    execFileSync(process.execPath, [main, 'config', 'check', '--config', file], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}
