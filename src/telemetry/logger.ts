/** Logs are events with fields, one JSON object per line, on standard error. */

import { type DestinationStream, destination, type Logger, pino, stdSerializers } from 'pino';

export type { Logger } from 'pino';

export interface LoggerOptions {
  readonly level: string;
  /** Default: standard error, because standard output may be the audit sink. */
  readonly stream?: DestinationStream;
}

export function createLogger({ level, stream }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: safeError },
    },
    // In the background, and dropped beyond the bound: a collector that stops reading must not stop the service.
    stream ?? destination({ fd: 2, sync: false, maxLength: maxUnwrittenBytes }),
  );
}

const maxUnwrittenBytes = 1024 * 1024;

/**
 * Name, code, message and stack of an error and of its causes, and nothing else: errors of HTTP clients and
 * SDKs carry requests and answers, and with them secrets, in properties of their own.
 */
function safeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: 'a value that is not an error was thrown' };
  const { type, message, stack } = stdSerializers.err(error);
  const { code } = error as { code?: unknown };
  return {
    type,
    message,
    stack,
    ...(typeof code === 'string' ? { code } : {}),
    ...(error.cause === undefined ? {} : { cause: safeError(error.cause) }),
  };
}
