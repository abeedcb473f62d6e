/** A certificate and its key from files, and their replacements when the files change. */

import { readFileSync } from 'node:fs';
import type { Clock } from '../core/clock.ts';

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
}

const checkIntervalMs = 60_000;

export function readTlsFiles({ certFile, keyFile }: TlsFiles): TlsMaterial {
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
}

export interface TlsWatchOptions {
  readonly files: TlsFiles;
  readonly current: TlsMaterial;
  readonly clock: Clock;
  /** Throws for material that does not belong together, as while one file is replaced and the other not yet. */
  readonly use: (material: TlsMaterial) => void;
}

/** Looks once a minute, so that a renewed certificate needs no restart. Returns how to stop looking. */
export function watchTlsFiles({ files, current, clock, use }: TlsWatchOptions): () => void {
  let inUse = current;
  const look = () => {
    try {
      const found = readTlsFiles(files);
      if (found.cert !== inUse.cert || found.key !== inUse.key) {
        use(found);
        inUse = found;
      }
    } catch {
      // Half replaced or not readable: what is in use stays, and the next look may find it whole.
    }
    timer = clock.after(checkIntervalMs, look);
  };
  let timer = clock.after(checkIntervalMs, look);
  return () => timer.cancel();
}
