/** A world, a broker in it, and a record of everything that the broker answered. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { type AuditDisk, mountAuditDisk } from './audit-disk.ts';
import { BrokerProcess, type Exit, type ProcessUsage } from './broker-process.ts';
import { answerViolations, auditViolations } from './invariants.ts';
import {
  Connection,
  type LoadAnswer,
  pause,
  type RunLoadOptions,
  runLoad,
  Turnstile,
} from './load.ts';
import { failures, seconds, tally } from './measures.ts';
import type { Ask } from './wire-forms.ts';
import { pool, region, startWorld, tableName, type World, type WorldOptions } from './world.ts';

export type Section = Readonly<Record<string, unknown>>;

type Sections = Readonly<Record<string, Section>>;

export interface LabOptions extends WorldOptions {
  /** Replaces members of sections of the broker's configuration. */
  readonly config?: (world: World, directory: string) => Sections | Promise<Sections>;
  readonly wrap?: readonly string[];
  readonly nodeArgs?: readonly string[];
  /** The audit log is on a file system of its own. Needs root. */
  readonly auditDisk?: { readonly kind: 'tmpfs' | 'ext4'; readonly kib: number };
  /** How long the broker is kept busy before it is measured: a process that has worked is larger. Default 0. */
  readonly exerciseMs?: number;
  /** Default: that of the broker. */
  readonly pollSeconds?: number;
  /** Default true. */
  readonly startBroker?: boolean;
  /** Whether exchanges may take longer than a broker allows: where STS has no fault, a busy machine is to make none. */
  readonly patientWithSts?: boolean;
  /** The same of the audit log. */
  readonly patientWithAudit?: boolean;
}

export interface LoadHandle {
  /** Everything answered so far. */
  readonly answers: readonly LoadAnswer[];
  /** Ends the load once the requests under way are answered. */
  stop(): Promise<readonly LoadAnswer[]>;
  /** Resolves when a limited load has come to its end. */
  readonly ended: Promise<readonly LoadAnswer[]>;
}

type Load = Omit<RunLoadOptions, 'next' | 'onAnswer' | 'url'> & {
  readonly make: (index: number) => Ask;
  readonly limit?: number;
  readonly url?: RunLoadOptions['url'];
};

/** What Node takes by itself in the container of 512 MiB that k8s/ asks for: with more it lets garbage lie. */
const usualHeap = ['--max-old-space-size=256'];
const warmUpRequests = 200;
/** In steps, since the broker rounds to them; without the mappings' default, which those have who are warm. */
const coldDurations = Array.from({ length: 706 }, (_, at) => 900 + 60 * at).filter(
  (seconds) => seconds !== 3600,
);
const noLimit = { perSecond: 1_000_000, burst: 1_000_000 };
const patience = { connectTimeoutMs: 10_000, requestTimeoutMs: 10_000, totalTimeoutMs: 30_000 };

export class Lab {
  readonly world: World;
  readonly directory: string;
  readonly auditDirectory: string;
  /** Everything since the invariants were last checked. */
  answers: LoadAnswer[] = [];
  /** Violations found by `check`. */
  broken = 0;
  readonly #options: LabOptions;
  readonly #disk: AuditDisk | undefined;
  readonly #brokers: {
    readonly process: BrokerProcess;
    readonly auditDirectory: string;
    meant: boolean;
  }[] = [];
  #notes: string[] = [];
  #violations: string[] = [];
  #before: ProcessUsage | undefined;
  #fresh = 0;
  #travelledMs = 0;

  static async start(options: LabOptions): Promise<Lab> {
    const world = await startWorld(options);
    const lab = new Lab(world, options);
    try {
      if (options.startBroker !== false) {
        await lab.startBroker();
        await lab.exercise(options.exerciseMs ?? 0);
        await lab.warmUp();
      }
    } catch (error) {
      await lab.stop();
      throw error;
    }
    return lab;
  }

  private constructor(world: World, options: LabOptions) {
    this.world = world;
    this.#options = options;
    this.directory = mkdtempSync(join(tmpdir(), 'token-broker-faults-'));
    this.auditDirectory = join(this.directory, 'audit');
    const { auditDisk } = options;
    if (auditDisk === undefined) return;
    this.#disk = mountAuditDisk(this.auditDirectory, auditDisk.kind, auditDisk.kib);
  }

  /** Of the audit log; there only if it was asked for. */
  get disk(): AuditDisk {
    if (this.#disk === undefined) throw new Error('the audit log has no disk of its own');
    return this.#disk;
  }

  /** The one that was started last. */
  get broker(): BrokerProcess {
    const last = this.#brokers.at(-1);
    if (last === undefined) throw new Error('no broker was started');
    return last.process;
  }

  /** Replicas need audit directories of their own. `wrap` is of this one alone. */
  async startBroker(
    replica = '',
    { wrap = this.#options.wrap }: Pick<LabOptions, 'wrap'> = {},
  ): Promise<BrokerProcess> {
    const auditDirectory = `${this.auditDirectory}${replica}`;
    const { nodeArgs = usualHeap } = this.#options;
    const started = await BrokerProcess.start({
      directory: this.directory,
      config: await this.#config(auditDirectory, replica),
      number: this.#brokers.length,
      wallOffsetMs: this.#travelledMs,
      ...(wrap === undefined ? {} : { wrap }),
      nodeArgs,
    });
    this.#brokers.push({ process: started, auditDirectory, meant: false });
    return started;
  }

  /** Ends a broker on purpose; invariant I4 is about those that end by themselves. */
  async end(broker: BrokerProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<Exit> {
    for (const entry of this.#brokers) if (entry.process === broker) entry.meant = true;
    broker.signal(signal);
    return await broker.exit;
  }

  /** Fills the caches of both sides, then takes the measure of the process. */
  async warmUp(): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const load = this.load({
        connections: 10,
        limit: warmUpRequests,
        make: (index) => this.warm(index),
      });
      const failed = failures(await load.ended);
      if (failed.length === 0) break;
      // Travels in time look like a late event loop to the broker, until it has looked again.
      const sheds = failed.every(({ code }) => code === 'overloaded');
      if (!sheds || tries === 20) {
        throw new Error(`warm-up failed: ${tally(failed)}`);
      }
      await pause(250);
    }
    this.compareWithNow();
  }

  /** For rows that fill caches: memory is compared with that of a process whose caches are full already. */
  compareWithNow(): void {
    this.#before = this.broker.usage();
  }

  /** As fast as it can, with all that it does on most days. */
  async exercise(ms: number): Promise<void> {
    if (ms === 0) return;
    const make = (index: number) =>
      index % 50 === 0 ? this.cold() : { caller: this.world.user(index) };
    const load = this.load({ connections: 64, make });
    await pause(ms);
    await load.stop();
  }

  /** Asks as user number `index`, whose session is in the cache once asked for. */
  warm(index: number): Ask {
    return { caller: this.world.user(index % Math.min(20, this.world.users)) };
  }

  /** Asks for a session that nobody has asked for before. */
  cold(): Ask {
    const number = this.#fresh;
    this.#fresh += 1;
    // The first ones have been displaced when they come again.
    const at = Math.floor(number / this.world.users) % coldDurations.length;
    return { caller: this.world.user(number), durationSeconds: coldDurations[at] as number };
  }

  async ask(ask: Ask, url = this.broker.urls.api): Promise<LoadAnswer> {
    const connection = new Connection(url);
    const answer = await connection.ask(ask);
    connection.close();
    this.answers.push(answer);
    return answer;
  }

  load({ make, limit, url, ...options }: Load): LoadHandle {
    const turnstile = new Turnstile(make, limit);
    const answers: LoadAnswer[] = [];
    const ended = runLoad({
      ...options,
      url: url ?? (() => this.broker.urls.api),
      next: turnstile.next,
      onAnswer: (answer) => {
        answers.push(answer);
        this.answers.push(answer);
      },
    }).then(() => answers);
    return {
      answers,
      ended,
      stop() {
        turnstile.close();
        return ended;
      },
    };
  }

  /** Time passes for everybody, on every clock; what the broker does by timers it does in real time. */
  async travel(ms: number): Promise<void> {
    this.#travelledMs += ms;
    this.world.clockOffsetMs = this.#travelledMs;
    await this.broker.setClocks(this.#travelledMs, this.#travelledMs);
    // It looks at its event loop ten times a second. Jumps at that pace would look like one that stands still: let it
    // see in between, at least once, that it is on time.
    await pause(300);
    if (this.world.fronts.dynamodb.fault !== undefined) return;
    // In life it would have asked the table all the time.
    while ((await this.broker.metric('tokenbroker_policy_age_seconds')) > 30) await pause(20);
  }

  /** Only the wall clock of the broker changes, from the time of everybody else. */
  async stepClock(ms: number): Promise<void> {
    await this.broker.setClocks(this.#travelledMs + ms, this.#travelledMs);
  }

  /** Milliseconds until a new session can be had and the broker says it is ready; I5 allows ten seconds. */
  async recovery(): Promise<number> {
    const startedAt = performance.now();
    const tookMs = () => performance.now() - startedAt;
    while (tookMs() < 30_000) {
      const { status } = await this.ask(this.cold());
      if (status === 200 && (await this.broker.probe('/readyz')) === 200) break;
      await pause(50);
    }
    if (tookMs() > 10_000) this.#violations.push(`I5: recovery took ${seconds(tookMs())}`);
    return tookMs();
  }

  note(text: string): void {
    this.#notes.push(text);
  }

  takeNotes(): readonly string[] {
    const notes = this.#notes;
    this.#notes = [];
    return notes;
  }

  /** What of I1 to I6 did not hold since the last time. `thorough` includes what takes time to settle. */
  async violations(thorough: boolean): Promise<readonly string[]> {
    const { answers } = this;
    this.answers = [];
    const found = [...this.#violations, ...answerViolations(answers, this.world)];
    this.#violations = [];
    const directories = [...new Set(this.#brokers.map(({ auditDirectory }) => auditDirectory))];
    found.push(...(await auditViolations(answers, directories)));
    for (const { process, meant } of this.#brokers) {
      if (process.ended === undefined || meant) continue;
      found.push(
        `I4: the process ended by itself with ${process.ended.code}: ${process.ended.log}`,
      );
    }
    if (thorough) found.push(...(await this.#usageViolations()));
    return found;
  }

  /** Of the broker that runs now; that of the warm-up if it is the same. */
  async #usageViolations(): Promise<readonly string[]> {
    const before = this.#before;
    const last = this.#brokers.at(-1);
    if (before === undefined || last === undefined || this.#brokers.length > 1) return [];
    if (last.process.ended !== undefined) return [];
    let after = last.process.usage();
    const settled = () =>
      after.descriptors <= before.descriptors * 1.1 + 1 &&
      after.rssMiB <= Math.max(before.rssMiB * 1.1, before.rssMiB + rssToleranceMiB);
    for (let tries = 0; tries < 40 && !settled(); tries += 1) {
      await pause(500);
      after = last.process.usage();
    }
    const text = `RSS ${before.rssMiB.toFixed(0)} → ${after.rssMiB.toFixed(0)} MiB, descriptors ${before.descriptors} → ${after.descriptors}`;
    this.note(text);
    return settled() ? [] : [`I6: ${text}`];
  }

  /** For rows that look at the invariants while they run. */
  check(violations: readonly string[]): void {
    this.broken += violations.length;
    this.#violations.push(...violations);
  }

  /** Ends everything that was started here. Returns what of I4 did not hold in the end. */
  async stop(): Promise<readonly string[]> {
    const found: string[] = [];
    await Promise.all(
      this.#brokers.map(async ({ process, meant }) => {
        if (process.ended !== undefined) return;
        const { code } = await process.stop();
        if (code !== 0 && !meant) found.push(`I4: told to end, the process ended with ${code}`);
      }),
    );
    await this.world.stop();
    this.#disk?.unmount();
    rmSync(this.directory, { recursive: true, force: true });
    return found;
  }

  async #config(auditDirectory: string, replica: string): Promise<object> {
    const { world, directory } = this;
    const changes = (await this.#options.config?.(world, directory)) ?? {};
    const jwksPath = new URL(world.issuer.jwksUri).pathname;
    const sections: Record<string, Section> = {
      listeners: { api: { port: 0 }, admin: { port: 0 }, ops: { port: 0 } },
      http: { drainSeconds: 0.2, shutdownSeconds: 10 },
      identity: {
        userPools: [
          {
            pool,
            issuer: world.issuer.url,
            jwksUri: `${world.fronts.jwks.url}${jwksPath}`,
            clients: world.clientIds,
          },
        ],
      },
      keys: { directory: join(directory, `keys${replica}`) },
      policy: {
        table: tableName,
        region,
        endpoint: world.fronts.dynamodb.url,
        snapshotFile: join(directory, `policy${replica}.json`),
        ...(this.#options.pollSeconds === undefined
          ? {}
          : { pollSeconds: this.#options.pollSeconds }),
      },
      sts: {
        endpoints: [{ region, endpoint: world.fronts.sts.url }],
        perAccount: noLimit,
        ...(this.#options.patientWithSts ? patience : {}),
      },
      // Rows about other faults are not to be held up by these.
      limits: { perCaller: noLimit, failedTokensPerAddress: noLimit, maxEventLoopDelayMs: 10_000 },
      audit: {
        directory: auditDirectory,
        ...(this.#options.patientWithAudit ? { deadlineMs: 10_000 } : {}),
      },
      log: { level: 'warn' },
    };
    for (const [name, members] of Object.entries(changes)) {
      sections[name] = { ...sections[name], ...members };
    }
    return { profile: 'development', ...sections };
  }
}

/** Node gives memory back late: what it keeps after a burst is bounded, and does not add up. */
export const rssToleranceMiB = 64;
