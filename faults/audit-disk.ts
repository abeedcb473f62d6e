/** A small file system of its own for the audit log, which can run full or turn read-only. Needs root on Linux. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';

export interface AuditDisk {
  /** As the kernel does when the device has failed: everything that is open stays so, and no write succeeds. */
  makeReadOnly(): void;
  /** What an operator does: the file system is checked and mounted again, in the same place. */
  repair(): void;
  unmount(): void;
}

export function canMount(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0;
}

/** `tmpfs` runs full with ENOSPC; `ext4`, on a file beside it, can turn read-only with EROFS. */
export function mountAuditDisk(directory: string, kind: 'tmpfs' | 'ext4', kib: number): AuditDisk {
  mkdirSync(directory, { recursive: true });
  const unmount = () => run('umount', '--lazy', directory);
  if (kind === 'tmpfs') {
    run('mount', '-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', directory);
    const never = () => {
      throw new Error('a tmpfs does not fail');
    };
    return { makeReadOnly: never, repair: never, unmount };
  }
  const image = `${directory}.img`;
  run('truncate', `--size=${kib}K`, image);
  run('mkfs.ext4', '-q', image);
  const mount = () => run('mount', '-o', 'loop,errors=remount-ro', image, directory);
  mount();
  return {
    makeReadOnly() {
      const device = run('findmnt', '-no', 'SOURCE', directory).trim();
      writeFileSync(`/sys/fs/ext4/${basename(device)}/trigger_fs_error`, 'fault laboratory');
    },
    repair() {
      unmountSoon(directory);
      try {
        run('e2fsck', '-fy', image);
      } catch (error) {
        // 1: faults were found, and repaired.
        if ((error as { status?: number }).status !== 1) throw error;
      }
      mount();
    },
    unmount,
  };
}

/** The broker looks at its directory now and then, and an operator tries again when it is busy at that moment. */
function unmountSoon(directory: string): void {
  for (let tries = 1; ; tries += 1) {
    try {
      run('umount', directory);
      return;
    } catch (error) {
      if (tries === 50) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    }
  }
}

function run(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
