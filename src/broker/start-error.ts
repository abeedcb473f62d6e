/** Why the broker did not start: which setting led there, and which file or address it named. */

import type { ListenerConfig } from '../config/schema.ts';
import { TlsFilesError } from '../http/tls-files.ts';

export interface StartFailure {
  /** As docs/configuration.md lists it. */
  readonly setting: string;
  /** File, folder or address. */
  readonly file?: string | undefined;
  readonly cause: unknown;
}

export class StartError extends Error {
  override readonly name = 'StartError';
  readonly setting: string;
  readonly file: string | undefined;

  constructor({ setting, file, cause }: StartFailure) {
    const reason = reasonOf(cause);
    // Node's own messages have the path as well.
    const named = file === undefined || reason.includes(file) ? [] : [file];
    super([setting, ...named, reason].join(': '), { cause });
    this.setting = setting;
    this.file = file;
  }
}

export function listenerFailed(
  name: string,
  { host, port, tls }: ListenerConfig,
  cause: unknown,
): StartError {
  const listener = `listeners.${name}`;
  if (!(cause instanceof TlsFilesError) || tls === undefined) {
    return new StartError({ setting: listener, file: `${host}:${port}`, cause });
  }
  const setting = `${listener}.tls.${cause.setting}`;
  return new StartError({ setting, file: tls[cause.setting], cause });
}

/** Of the innermost error, which met the operating system. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  return error.cause instanceof Error ? reasonOf(error.cause) : error.message;
}
