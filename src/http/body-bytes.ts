/** Reads a body off the wire: bounded, whole or not at all. */

import { BrokerError } from '../core/errors.ts';
import type { AdmittedRequest } from './admission.ts';
import { refusalOf } from './broken-connections.ts';

/** @throws BrokerError `body_too_large`, or what the connection was ended with. */
export function readBodyBytes(req: AdmittedRequest, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (Number(req.headers['content-length'] ?? 0) > maxBytes) {
      reject(tooLarge(maxBytes));
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else reject(tooLarge(maxBytes));
    });
    req.on('end', () =>
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)),
    );
    const cutOff = () => reject(new BrokerError(refusalOf(req.socket) ?? 'request_malformed'));
    req.on('error', cutOff);
    req.on('close', () => {
      // Every request closes; one that was read whole has nothing to report, and an error is dear to make.
      if (!req.complete) cutOff();
    });
  });
}

function tooLarge(maxBytes: number): BrokerError {
  return new BrokerError('body_too_large', { detail: `Send at most ${maxBytes} bytes.` });
}
