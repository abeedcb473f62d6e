/** Takes a changed configuration file over while the broker runs: all of it at one moment, or nothing. */

import { type ConfigFault, configFaultLine } from '../config/fault.ts';
import { ConfigError } from '../config/load.ts';
import { changesBetween, type SettingChange } from '../config/reloading.ts';
import type { RereadConfig, RereadConfigFile } from '../config/reread.ts';
import type { Config } from '../config/schema.ts';
import { BrokerError } from '../core/errors.ts';
import type { AuditLog } from '../core/ports.ts';
import type { AuditedSetting, ConfigReloadRecord } from '../core/records/change-records.ts';
import type { ListenerCertificate } from '../http/server.ts';
import { readTlsFiles, type TlsFiles, TlsFilesError, type TlsMaterial } from '../http/tls-files.ts';
import { isStringList } from '../kit/json/json-object.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { type RunningSettings, type Settings, settingsOf } from './running-settings.ts';

/**
 * - `reloaded`, `unchanged`: the file is what the broker runs with.
 * - `invalid`: it would not start with it. `needs_restart`: something in it can only change by a restart.
 * - `audit_unavailable`: there is no record of it. `failed`: something else did not work.
 */
export const reloadOutcomes = [
  'reloaded',
  'unchanged',
  'invalid',
  'needs_restart',
  'audit_unavailable',
  'failed',
] as const;
export type ReloadOutcome = (typeof reloadOutcomes)[number];

export interface ReloadEvent {
  readonly outcome: ReloadOutcome;
  readonly by: ConfigReloadRecord['by'];
  /** Those that changed, or that are in the way. */
  readonly settings: readonly string[];
  /** One line each: what to put right. */
  readonly faults: readonly string[];
  readonly error: unknown;
}

export interface ReloaderOptions {
  /** The file as it is now. */
  readonly read: RereadConfigFile;
  readonly running: RunningSettings;
  /** By listener: of those that speak TLS. */
  readonly certificates: ReadonlyMap<keyof Config['listeners'], ListenerCertificate>;
  readonly audit: AuditLog;
  readonly clock: Clock;
  /** Everything that has to follow at once; it must not fail. */
  readonly onReplaced: (before: Settings, now: Settings) => void;
  readonly observer: (event: ReloadEvent) => void;
}

interface NewCertificate {
  readonly listener: keyof Config['listeners'];
  readonly certificate: ListenerCertificate;
  readonly files: TlsFiles;
  readonly material: TlsMaterial;
}

/** Why nothing changes. */
class ReloadRefused extends Error {
  override readonly name = 'ReloadRefused';
  readonly outcome: ReloadOutcome;
  readonly settings: readonly string[];
  readonly faults: readonly string[];

  constructor(
    outcome: ReloadOutcome,
    { settings, faults }: Pick<ReloadEvent, 'settings' | 'faults'>,
    cause?: unknown,
  ) {
    super(outcome, { cause });
    this.outcome = outcome;
    this.settings = settings;
    this.faults = faults;
  }
}

export class Reloader {
  readonly #options: ReloaderOptions;
  #asked: ConfigReloadRecord['by'] | undefined;
  #working: Promise<void> | undefined;
  #stopped: boolean = false;

  constructor(options: ReloaderOptions) {
    this.#options = options;
  }

  /**
   * Resolves, and never rejects, once the file was read as it is from now on. One reload at a time: those that are asked
   * for meanwhile are one, which comes after it.
   */
  reload(by: ConfigReloadRecord['by']): Promise<void> {
    this.#asked = by;
    this.#working ??= this.#work();
    return this.#working;
  }

  /** From now on nothing is taken over. */
  stop(): void {
    this.#stopped = true;
  }

  async #work(): Promise<void> {
    for (let by = this.#asked; by !== undefined; by = this.#asked) {
      this.#asked = undefined;
      this.#options.observer(await this.#once(by));
    }
    this.#working = undefined;
  }

  async #once(by: ConfigReloadRecord['by']): Promise<ReloadEvent> {
    let fileSha256: string | undefined;
    try {
      const reread = await this.#options.read();
      ({ fileSha256 } = reread);
      const settings = await this.#takeOver(by, reread);
      const outcome = settings.length === 0 ? 'unchanged' : 'reloaded';
      return { outcome, by, settings, faults: [], error: undefined };
    } catch (error) {
      const refused = refusalOf(error);
      const { outcome, settings, faults, cause } = refused;
      await this.#record(by, {
        outcome: outcome === 'failed' ? 'failed' : 'refused',
        reason: outcome,
        fileSha256,
        settings: settings.map((setting) => ({ setting: setting.slice(0, maxSettingLength) })),
      }).catch(() => undefined);
      return { outcome, by, settings, faults, error: cause };
    }
  }

  /** Returns the settings that changed. */
  async #takeOver(
    by: ConfigReloadRecord['by'],
    { config, fileSha256 }: RereadConfig,
  ): Promise<readonly string[]> {
    const { running, onReplaced } = this.#options;
    const before = running.now;
    const changes = changesBetween(before.config, config);
    requireNoRestart(changes);
    const next = settingsOf(config);
    const certificates = this.#newCertificates(config);
    const settings = [...changes.map(audited), ...renewed(certificates, changes)];
    if (settings.length === 0) return [];
    // Durable before its effect: what nobody can account for does not happen.
    await this.#record(by, { outcome: 'authorized', fileSha256, settings });
    if (this.#stopped) throw new Error('the broker is stopping');
    useAll(certificates);
    running.now = next;
    onReplaced(before, next);
    return settings.map(({ setting }) => setting);
  }

  /** Looked at now, and not when their time comes: a certificate is replaced because something is wrong with the old one. */
  #newCertificates(config: Config): readonly NewCertificate[] {
    const found: NewCertificate[] = [];
    const faults: string[] = [];
    const settings: string[] = [];
    for (const [listener, certificate] of this.#options.certificates) {
      const { tls } = config.listeners[listener];
      if (tls === undefined) continue;
      try {
        const material = readTlsFiles(tls, this.#options.clock.now());
        if (!certificate.isInUse(tls, material)) {
          found.push({ listener, certificate, files: tls, material });
        }
      } catch (error) {
        if (!(error instanceof TlsFilesError)) throw error;
        const setting = `listeners.${listener}.tls.${error.setting}`;
        settings.push(setting);
        faults.push(`${setting}: on this host, ${error.message}`);
      }
    }
    if (faults.length > 0) throw new ReloadRefused('invalid', { settings, faults });
    return found;
  }

  /**
   * The promise of the audit log itself: whoever is judged by a record that was kept together with this one, and comes after it
   * in the log, is judged by what this one took over (T343).
   */
  #record(
    by: ConfigReloadRecord['by'],
    facts: Omit<ConfigReloadRecord, 'type' | 'time' | 'by' | 'count'>,
  ): Promise<void> {
    const { audit, clock } = this.#options;
    const { settings } = facts;
    return audit.record({
      type: 'config_reload',
      time: new Date(clock.now()).toISOString(),
      by,
      ...facts,
      settings: settings.slice(0, maxListedSettings),
      count: settings.length,
    });
  }
}

const maxListedSettings = 50;
/** Of a name that is no setting, and may be anything. */
const maxSettingLength = 200;
const maxListedNames = 20;

function requireNoRestart(changes: readonly SettingChange[]): void {
  const fixed = changes.filter(({ reloading }) => reloading === 'restart');
  if (fixed.length === 0) return;
  const settings = fixed.map(({ setting }) => setting);
  const faults = settings.map((setting) => `needs a restart: ${setting}`);
  throw new ReloadRefused('needs_restart', { settings, faults });
}

/** Who came and who went, for lists of names; of other settings that they changed. */
function audited({ setting, before, after }: SettingChange): AuditedSetting {
  if (!isStringList(before) || !isStringList(after)) return { setting };
  const missingIn = (names: readonly string[], others: readonly string[]) => {
    // A pool may have ten thousand app clients: to look through a list for each would hold up every request (T341).
    const known = new Set(others);
    return names.filter((name) => !known.has(name)).slice(0, maxListedNames);
  };
  return { setting, added: missingIn(after, before), removed: missingIn(before, after) };
}

/** Files that have other contents under the same names. */
function renewed(
  certificates: readonly NewCertificate[],
  changes: readonly SettingChange[],
): readonly AuditedSetting[] {
  return certificates
    .map(({ listener }) => `listeners.${listener}.tls`)
    .filter((setting) => !changes.some((change) => change.setting.startsWith(`${setting}.`)))
    .map((setting) => ({ setting }));
}

/** All of them, or none: OpenSSL has the last word. */
function useAll(certificates: readonly NewCertificate[]): void {
  const undo: (() => void)[] = [];
  try {
    for (const { certificate, files, material } of certificates) {
      undo.push(certificate.switchTo(files, material));
    }
  } catch (error) {
    for (const one of undo) one();
    throw error;
  }
}

function refusalOf(error: unknown): ReloadRefused {
  if (error instanceof ReloadRefused) return error;
  if (error instanceof ConfigError) {
    const settings = error.faults.map(({ setting }: ConfigFault) => setting).filter(Boolean);
    return new ReloadRefused('invalid', { settings, faults: error.faults.map(configFaultLine) });
  }
  const outcome =
    error instanceof BrokerError && error.code === 'audit_unavailable'
      ? 'audit_unavailable'
      : 'failed';
  return new ReloadRefused(outcome, { settings: [], faults: [] }, error);
}
