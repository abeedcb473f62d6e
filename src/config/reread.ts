/** The configuration file once more, while the broker runs: whoever writes it may be at it just now. */

import { hash } from 'node:crypto';
import { readGivenFile } from '../kit/files/given-file.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { sleep } from '../kit/timing/sleep.ts';
import { withDeadline } from '../kit/timing/with-deadline.ts';
import { ConfigError, maxConfigBytes, parseConfig, type Surroundings, unreadable } from './load.ts';
import type { Config } from './schema.ts';

export interface RereadConfig {
  readonly config: Config;
  /** Lower-case hex SHA-256 of the file. */
  readonly fileSha256: string;
}

const pauseMs = 250;
const maxLooks = 20;
const readTimeoutMs = 5_000;

/** @throws ConfigError that lists every fault found. */
export type RereadConfigFile = () => Promise<RereadConfig>;

export function configRereader(
  file: string,
  surroundings: Surroundings,
  clock: Clock,
): RereadConfigFile {
  const look = looksAt(file, clock);
  return async () => {
    const bytes = await settledBytes(file, look, clock);
    const config = parseConfig({ path: file, text: bytes.toString() }, surroundings);
    return { config, fileSha256: hash('sha256', bytes, 'hex') };
  };
}

type Look = () => Promise<Buffer | ConfigError>;

/** Half of a file may be a whole configuration with fewer names in it: it counts once two looks in a row have found the same. */
async function settledBytes(file: string, look: Look, clock: Clock): Promise<Buffer> {
  let last = await look();
  for (let looks = 1; looks < maxLooks; looks += 1) {
    await sleep(clock, pauseMs);
    const found = await look();
    if (Buffer.isBuffer(found) && Buffer.isBuffer(last) && found.equals(last)) return found;
    // One that is replaced may be missing for a moment.
    if (!Buffer.isBuffer(found) && !Buffer.isBuffer(last)) throw found;
    last = found;
  }
  const detail = 'changes from one look to the next: replace it by renaming a whole one';
  throw new ConfigError([{ source: 'file', file, setting: '', detail }]);
}

function looksAt(file: string, clock: Clock): Look {
  let reading: Promise<Buffer> | undefined;
  return async () => {
    // One at a time, also from one reload to the next: a hung disk must not take the threads that the audit log needs (T342).
    reading ??= readGivenFile(file, maxConfigBytes).finally(() => {
      reading = undefined;
    });
    const read = reading;
    try {
      return await withDeadline({ clock, timeoutMs: readTimeoutMs }, () => read);
    } catch (error) {
      if (!(error instanceof DOMException)) return unreadable(file, error);
      const detail = 'gives no answer: its disk hangs';
      return new ConfigError([{ source: 'file', file, setting: '', detail }]);
    }
  };
}
