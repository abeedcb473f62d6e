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

/**
 * Half of a file may be a whole configuration with fewer names in it: it counts once two looks in a row have found the same.
 *
 * @throws ConfigError that lists every fault found.
 */
export async function rereadConfig(
  file: string,
  surroundings: Surroundings,
  clock: Clock,
): Promise<RereadConfig> {
  const bytes = await settledBytes(file, clock);
  const config = parseConfig({ path: file, text: bytes.toString() }, surroundings);
  return { config, fileSha256: hash('sha256', bytes, 'hex') };
}

async function settledBytes(file: string, clock: Clock): Promise<Buffer> {
  let last = await lookAt(file, clock);
  for (let looks = 1; looks < maxLooks; looks += 1) {
    await sleep(clock, pauseMs);
    const look = await lookAt(file, clock);
    if (Buffer.isBuffer(look) && Buffer.isBuffer(last) && look.equals(last)) return look;
    // One that is replaced may be missing for a moment.
    if (!Buffer.isBuffer(look) && !Buffer.isBuffer(last)) throw look;
    last = look;
  }
  const detail = 'changes from one look to the next: replace it by renaming a whole one';
  throw new ConfigError([{ source: 'file', file, setting: '', detail }]);
}

async function lookAt(file: string, clock: Clock): Promise<Buffer | ConfigError> {
  try {
    return await withDeadline({ clock, timeoutMs: readTimeoutMs }, () =>
      readGivenFile(file, maxConfigBytes),
    );
  } catch (error) {
    return unreadable(file, error);
  }
}
