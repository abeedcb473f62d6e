import type { FileHandle } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';

/** The bytes of one file of a log as they were written, one part after the other. */
export interface LogBytes {
  /** How many were put at the start of `room`; none at the end. @throws the error of the file system, or of zlib */
  read(room: Buffer): Promise<number>;
  /** Lets go of what it holds, other than the file. */
  close(): Promise<void>;
}

/** A packed file that holds far more than any log: whoever wrote it wants its readers to work without end. */
export class PackedLogTooLargeError extends Error {
  override readonly name = 'PackedLogTooLargeError';
}

/**
 * A record has hashes in it, which nothing packs: logs are a tenth of their size when they are packed, and one of long repeated
 * documents a fiftieth. deflate itself ends at a thousandth.
 */
const mostTimesItsSize = 250;
/** What is not large needs no ratio. */
const smallBytes = 32 * 1024 * 1024;
const maxUnpackedBytes = 16 * 1024 * 1024 * 1024;

export const compressedEnding = '.gz';

/** Whether it is a file that gzip has packed: the broker makes none, archives do. */
export function isCompressed(name: string): boolean {
  return name.endsWith(compressedEnding);
}

/** Of the bytes in it, if the file is packed. */
export interface ByteRange {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

export function logBytes(
  handle: FileHandle,
  name: string,
  { from = 0, to = Infinity }: ByteRange = {},
): LogBytes {
  const bytes = isCompressed(name) ? unpackedBytes(handle, name, from) : plainBytes(handle, from);
  return to === Infinity ? bytes : firstBytes(bytes, Math.max(0, to - from));
}

function firstBytes(bytes: LogBytes, limit: number): LogBytes {
  let left = limit;
  return {
    async read(room) {
      if (left === 0) return 0;
      const bytesRead = await bytes.read(room.subarray(0, left));
      left -= bytesRead;
      return bytesRead;
    },
    close: () => bytes.close(),
  };
}

function plainBytes(handle: FileHandle, from: number): LogBytes {
  let position = from;
  return {
    async read(room) {
      const { bytesRead } = await handle.read(room, { position });
      position += bytesRead;
      return bytesRead;
    },
    close: () => Promise.resolve(),
  };
}

/** Unpacked as it is asked for: it takes no memory, and what holds far more than a log does ends with an error. */
function unpackedBytes(handle: FileHandle, name: string, from: number): LogBytes {
  const packed = handle.createReadStream({ start: 0, autoClose: false });
  const unpacked = createGunzip();
  packed.on('error', (error) => unpacked.destroy(error));
  packed.pipe(unpacked);
  const parts: AsyncIterator<Buffer> = unpacked[Symbol.asyncIterator]();
  let part: Buffer = Buffer.alloc(0);
  let toSkip = from;
  let unpackedSoFar = 0;
  let limit: number | undefined;
  return {
    async read(room) {
      limit ??= mostUnpacked((await handle.stat()).size);
      while (part.length <= toSkip) {
        toSkip -= part.length;
        const next = await parts.next();
        if (next.done === true) return 0;
        part = next.value;
        unpackedSoFar += part.length;
        if (unpackedSoFar > limit) throw tooLarge(name, limit);
      }
      const taken = part.copy(room, 0, toSkip);
      part = part.subarray(toSkip + taken);
      toSkip = 0;
      return taken;
    },
    async close() {
      packed.destroy();
      unpacked.destroy();
      await parts.return?.();
    },
  };
}

function mostUnpacked(packedBytes: number): number {
  return Math.min(maxUnpackedBytes, Math.max(smallBytes, packedBytes * mostTimesItsSize));
}

function tooLarge(name: string, limit: number): PackedLogTooLargeError {
  return new PackedLogTooLargeError(
    `${name} unpacks to more than ${limit} bytes, which no log of its size does: it was not read to its end. If it is honest, unpack it with gunzip and try again.`,
  );
}
