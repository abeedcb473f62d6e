/** Reads a body off the wire: bounded, whole or not at all. */

import { BrokerError } from '../core/errors.ts';
import type { AdmittedRequest } from './admission.ts';
import { refusalOf } from './broken-connections.ts';

/** @throws BrokerError `body_too_large`, or what the connection was ended with. */
export async function readBodyBytes(req: AdmittedRequest, maxBytes: number): Promise<Buffer> {
  if (Number(req.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  // What came in one piece with its head is parsed by then, and there to be taken without a listener.
  await undefined;
  if (!req.complete) return await whenArrived(req, maxBytes);
  const bytes = (req.read() as Buffer | null) ?? Buffer.alloc(0);
  if (bytes.length > maxBytes) throw tooLarge(maxBytes);
  return bytes;
}

function whenArrived(req: AdmittedRequest, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const cutOff = () => reject(new BrokerError(refusalOf(req.socket) ?? 'request_malformed'));
    // Its last event may be over.
    if (req.destroyed) {
      cutOff();
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
