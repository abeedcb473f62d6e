import type { Response } from 'express';
import { type BodyText, bodyText, endWith } from './body-text.ts';
import { responseHeaders } from './response-headers.ts';

export function sendJson(
  res: Response,
  status: number,
  document: unknown,
  requestId: string,
  headers: readonly string[] = [],
): void {
  sendPrintedJson(res, status, bodyText(JSON.stringify(document)), requestId, headers);
}

/** For documents that are printed once and sent again and again. */
export function sendPrintedJson(
  res: Response,
  status: number,
  body: BodyText,
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
    String(body.bytes),
  ]);
  endWith(res, body);
}
