import type { Response } from 'express';
import { responseHeaders } from './response-headers.ts';

export function sendJson(
  res: Response,
  status: number,
  document: unknown,
  requestId: string,
  headers: readonly string[] = [],
): void {
  sendPrintedJson(res, status, Buffer.from(JSON.stringify(document)), requestId, headers);
}

/** For documents that are printed once and sent again and again. */
export function sendPrintedJson(
  res: Response,
  status: number,
  body: Buffer,
  requestId: string,
  headers: readonly string[] = [],
): void {
  res.writeHead(status, [
    ...responseHeaders(res.socket),
    ...headers,
    'X-Request-Id',
    requestId,
    // To the letter: the AWS SDK for Go compares the whole value.
    'Content-Type',
    'application/json',
    'Content-Length',
    String(body.length),
  ]);
  res.end(body);
}
