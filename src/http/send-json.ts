import type { Response } from 'express';
import { responseHeaders } from './response-headers.ts';

export function sendJson(
  res: Response,
  status: number,
  document: unknown,
  requestId: string,
  headers: readonly string[] = [],
): void {
  const body = Buffer.from(JSON.stringify(document));
  res.writeHead(status, [
    ...responseHeaders,
    ...headers,
    'X-Request-Id',
    requestId,
    'Content-Type',
    'application/json',
    'Content-Length',
    String(body.length),
  ]);
  res.end(body);
}
