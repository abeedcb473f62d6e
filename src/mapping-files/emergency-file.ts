/**
 * The emergency file of this instance, for the day on which the table or the audit disk is gone. It is looked at once
 * a second. Nothing that it says is ever ignored in silence: a file that is there and cannot be used denies everything,
 * once a second look a second later finds it so; one that is being written has been written by then.
 */

import { hash } from 'node:crypto';
import { lstat, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type EmergencyDenies, everything, noDenies } from '../core/policy/emergency-denies.ts';
import { errorCodeOf } from '../kit/files/error-code.ts';
import { readGivenFile } from '../kit/files/given-file.ts';
import { FileRefusedError } from '../kit/files/regular-file.ts';
import type { Clock, Timer } from '../kit/timing/clock.ts';
import { type EmergencyDocument, readEmergencyDocument } from './emergency-document.ts';

/** `unusable`: it is there and cannot be used, so everything is denied. */
export type EmergencyState = 'absent' | 'in_force' | 'unusable';

export interface EmergencyChange {
  readonly state: EmergencyState;
  readonly denies: EmergencyDenies;
  /** Lower-case hex SHA-256 of the file; undefined if it is not there or could not be read. */
  readonly sha256: string | undefined;
  /** Why it cannot be used. */
  readonly detail: string | undefined;
}

export interface EmergencyFileOptions {
  readonly path: string;
  /** Names of the pools that denies can be about. */
  readonly pools: ReadonlySet<string>;
  readonly clock: Clock;
  /** When the denies have changed, and are in force. */
  readonly onChange: (change: EmergencyChange) => void;
  /** A look after the first told nothing: what was known stays in force. */
  readonly onUnknown: (detail: string) => void;
}

const lookEveryMs = 1_000;
const maxBytes = 256 * 1024;
/** Trouble of this process or of the disk: it says nothing about what anybody wrote. */
const tellNothing: readonly unknown[] = ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EIO', 'ESTALE'];

type Look =
  | { readonly kind: 'absent' }
  | { readonly kind: 'read'; readonly denies: EmergencyDenies; readonly sha256: string }
  | { readonly kind: 'unusable'; readonly detail: string; readonly sha256: string | undefined }
  | { readonly kind: 'unknown'; readonly detail: string };

export class EmergencyFile {
  readonly #options: EmergencyFileOptions;
  #known: EmergencyChange = {
    state: 'absent',
    denies: noDenies,
    sha256: undefined,
    detail: undefined,
  };
  /** The bytes read last and what they say: to read the same again, second after second, would hold up everybody. */
  #lastRead: { readonly sha256: string; readonly document: EmergencyDocument } | undefined;
  /** What the file said when it could be used last. */
  #usable = noDenies;
  /** Whether the look before found what cannot be used. */
  #suspect: boolean = false;
  /** Monotonic instant of the last look that said what is to be in force; of the start before there was one. */
  #lookedAt: number | undefined;
  #timer: Timer | undefined;
  readonly #stopping = new AbortController();

  constructor(options: EmergencyFileOptions) {
    this.#options = options;
  }

  /** What it says is in force when this resolves. @throws if its folder is not there: nobody could use it. */
  async start(): Promise<void> {
    await stat(dirname(this.#options.path));
    this.#lookedAt = this.#options.clock.monotonic();
    // Nothing is in force yet that could stay while somebody is still writing, or while the disk gives no answer.
    this.#suspect = true;
    const first = await this.#look();
    this.#take(
      first.kind === 'unknown' ? { ...first, kind: 'unusable', sha256: undefined } : first,
    );
    this.#schedule();
  }

  stop(): void {
    this.#stopping.abort();
    this.#timer?.cancel();
  }

  denies(): EmergencyDenies {
    return this.#known.denies;
  }

  /** How many there are. */
  count(): number {
    const { denies, tokens } = this.#known.denies;
    return denies.length + tokens.size;
  }

  /** Since the last look at which the file was absent or could be used, or since the start; undefined before that. */
  ageSeconds(): number | undefined {
    if (this.#lookedAt === undefined) return undefined;
    return (this.#options.clock.monotonic() - this.#lookedAt) / 1000;
  }

  #schedule(): void {
    if (this.#stopping.signal.aborted) return;
    this.#timer = this.#options.clock.after(lookEveryMs, () => {
      // One at a time: a hung disk must not take a thread for each second.
      void this.#look().then((look) => {
        if (this.#stopping.signal.aborted) return;
        this.#take(look);
        this.#schedule();
      });
    });
  }

  async #look(): Promise<Look> {
    const { path } = this.#options;
    let bytes: Buffer;
    try {
      bytes = await readGivenFile(path, maxBytes);
    } catch (error) {
      return await whyNot(path, error);
    }
    const sha256 = hash('sha256', bytes, 'hex');
    if (this.#lastRead?.sha256 !== sha256) {
      this.#lastRead = { sha256, document: readDocument(this.#options, bytes) };
    }
    const { document } = this.#lastRead;
    return document.kind === 'denies'
      ? { kind: 'read', denies: document.denies, sha256 }
      : { kind: 'unusable', detail: document.detail, sha256 };
  }

  #take(look: Look): void {
    switch (look.kind) {
      case 'unknown':
        this.#options.onUnknown(look.detail);
        break;
      case 'unusable':
        this.#distrust(look.detail, look.sha256);
        break;
      case 'absent':
        this.#trust('absent', noDenies, undefined);
        break;
      case 'read':
        this.#trust('in_force', look.denies, look.sha256);
        break;
    }
  }

  #trust(
    state: Exclude<EmergencyState, 'unusable'>,
    denies: EmergencyDenies,
    sha256: string | undefined,
  ): void {
    this.#lookedAt = this.#options.clock.monotonic();
    this.#suspect = false;
    this.#usable = denies;
    this.#change({ state, denies, sha256, detail: undefined });
  }

  /** What it said before stays in force besides: it names tokens, which a deny of all roles does not stop. */
  #distrust(detail: string, sha256: string | undefined): void {
    const again = this.#suspect;
    this.#suspect = true;
    if (!again) return;
    const reason = 'the emergency file cannot be used';
    const { denies, tokens } = this.#usable;
    const all = [...denies, { principal: everything, role: '*', reason }];
    this.#change({ state: 'unusable', denies: { denies: all, tokens }, sha256, detail });
  }

  #change(change: EmergencyChange): void {
    const { state, sha256, detail } = this.#known;
    if (change.state === state && change.sha256 === sha256 && change.detail === detail) return;
    this.#known = change;
    this.#options.onChange(change);
  }
}

/** Whatever is in it, looking goes on, and what cannot be understood is never taken for nothing. */
function readDocument({ path, pools }: EmergencyFileOptions, bytes: Buffer): EmergencyDocument {
  try {
    return readEmergencyDocument(path, bytes, pools);
  } catch (error) {
    return { kind: 'faulty', detail: `${path} cannot be understood (${(error as Error).name})` };
  }
}

async function whyNot(path: string, error: unknown): Promise<Look> {
  if (error instanceof FileRefusedError) {
    return { kind: 'unusable', detail: error.message, sha256: undefined };
  }
  const code = errorCodeOf(error);
  const detail = `${path} cannot be read (${code})`;
  if (tellNothing.includes(code)) return { kind: 'unknown', detail };
  if (code !== 'ENOENT') return { kind: 'unusable', detail, sha256: undefined };
  if (await isThere(lstat, path)) {
    return { kind: 'unusable', detail: `${path} is a link that leads nowhere`, sha256: undefined };
  }
  // Somebody took the file away, or the volume is gone: only the first lifts what it said.
  return (await isThere(stat, dirname(path)))
    ? { kind: 'absent' }
    : { kind: 'unknown', detail: `the folder of ${path} is gone` };
}

function isThere(look: (path: string) => Promise<unknown>, path: string): Promise<boolean> {
  return look(path).then(
    () => true,
    () => false,
  );
}
