/**
 * A DynamoDB on loopback HTTP, for development and tests: dynalite keeps the items, this front adds what
 * dynalite lacks: transactional writes and the settings for point-in-time recovery. Has never met the real service.
 *
 * Limits: signatures are not verified; transactions put and delete, nothing else; no streams, backups, PartiQL or
 * global tables; on disk it survives the death of the process, not a power cut.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { join } from 'node:path';

import type { Clock } from '../../src/kit/timing/clock.ts';
import {
  closeServer,
  comesFromBrowser,
  listenOnLoopback,
  readBody,
  staysOpen,
} from '../loopback-http.ts';
import { AccessLock } from './access-lock.ts';
import type { DynamoDbFault } from './dynamodb-faults.ts';
import { answerAfter, answerBefore, DynamoDbFaultSwitch } from './dynamodb-faults.ts';
import { LocalOperations } from './dynamodb-operations.ts';
import { createWriteStager } from './dynamodb-staging.ts';
import type { Store } from './dynamodb-store.ts';
import { openStore } from './dynamodb-store.ts';
import { TableSettings } from './dynamodb-table-settings.ts';
import { Transactions } from './dynamodb-transactions.ts';
import type { RawAnswer, RawRequest } from './dynamodb-wire.ts';
import { dynamoDbOperation, encodeAnswer, sendAnswer } from './dynamodb-wire.ts';
import { lockFolder } from './folder-lock.ts';

export interface DynamoDbServerOptions {
  readonly clock: Clock;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Folder that keeps the tables; one process at a time. Default: in memory. */
  readonly path?: string;
}

export interface DynamoDbServer {
  readonly url: string;
  /** Operations asked for, oldest first, faults included; the last 1,000. */
  readonly calls: readonly string[];
  /** From now on; without an argument, no longer. */
  setFault(fault?: DynamoDbFault): void;
  /** Finishes what has arrived, unanswered; may be called again. */
  stop(): Promise<void>;
}

/** DynamoDB's own limit for a request. */
const maxBodyBytes = 16 * 1024 * 1024;
const maxCalls = 1000;

/** Throws if another process has `path`, or the address is taken. */
export async function startDynamoDbServer(options: DynamoDbServerOptions): Promise<DynamoDbServer> {
  const tables = await openTables(options);
  const faults = new DynamoDbFaultSwitch();
  const calls: string[] = [];

  const server = createServer(staysOpen, (req, res) => {
    void answer(req, res).catch(() => sendInternalError(res));
  });

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    // The body is read whole first: a client that goes away in the middle leaves no trace in the store.
    const body = await bodyOf(req, res);
    if (!body) return;
    const operation = dynamoDbOperation(req.headers);
    calls.push(operation ?? 'Unknown');
    if (calls.length > maxCalls) calls.shift();

    const fault = faults.take(operation, body.length);
    if (fault && answerBefore(res, fault)) return;
    const result = await tables.run(operation, { headers: req.headers, body });
    if (fault) answerAfter(res, fault, result);
    else sendAnswer(res, result);
  }

  try {
    const url = await listenOnLoopback(server, options.port);
    let stopped: Promise<void> | undefined;
    return {
      url,
      calls,
      setFault: (fault) => faults.set(fault),
      stop() {
        stopped ??= closeServer(server).then(() => tables.close());
        return stopped;
      },
    };
  } catch (error) {
    await tables.close();
    throw error;
  }
}

interface Tables {
  run(operation: string | undefined, request: RawRequest): Promise<RawAnswer>;
  /** Lets what is running finish. */
  close(): Promise<void>;
}

async function openTables({ clock, path }: DynamoDbServerOptions): Promise<Tables> {
  const unlock = path === undefined ? () => {} : lockFolder(path);
  const inFolder = (name: string) => (path === undefined ? undefined : join(path, name));
  let store: Store | undefined;
  try {
    const settings = new TableSettings({ clock, file: inFolder('table-settings.json') });
    const opened = await openStore(inFolder('leveldb'));
    store = opened;
    const stager = createWriteStager(opened.dynalite);
    const journalFile = inFolder('transaction.json');
    const transactions = new Transactions({ store: opened, stager, clock, journalFile });
    await transactions.recover();
    const operations = new LocalOperations({ store: opened, transactions, settings });
    const access = new AccessLock();
    return {
      run(operation, request) {
        const work = () => operations.run(operation, request);
        return operations.isRead(operation) ? access.shared(work) : access.exclusive(work);
      },
      async close() {
        await access.exclusive(async () => {});
        await opened.stop();
        unlock();
      },
    };
  } catch (error) {
    await store?.stop();
    unlock();
    throw error;
  }
}

/** The body, or undefined where there is none to go on with; then the request has had its answer. */
async function bodyOf(req: IncomingMessage, res: ServerResponse): Promise<Buffer | undefined> {
  if (comesFromBrowser(req)) {
    res.writeHead(403, { connection: 'close' }).end();
    return undefined;
  }
  const body = await readBody(req, maxBodyBytes);
  if (body.kind === 'complete') return body.bytes;
  if (body.kind === 'too_large') res.writeHead(413, { connection: 'close' }).end();
  return undefined;
}

function sendInternalError(res: ServerResponse): void {
  if (res.headersSent) return void res.destroy();
  const __type = 'com.amazonaws.dynamodb.v20120810#InternalServerError';
  sendAnswer(
    res,
    encodeAnswer({ status: 500, body: { __type, message: 'Internal server error' } }),
  );
}
