import type { ServerResponse } from 'node:http';

import type { RawAnswer } from './dynamodb-wire.ts';
import { encodeAnswer, sendAnswer } from './dynamodb-wire.ts';

/** How the local DynamoDB misbehaves. */
export type DynamoDbFault = {
  /** Only these operations (`Scan`, `PutItem`). Default: all. */
  readonly operations?: readonly string[];
  /** Only requests whose body is larger, as a table with little capacity has it. Default: of any size. */
  readonly largerThanBytes?: number;
  /** So many requests, then none. Default: until the fault is taken away. */
  readonly times?: number;
} & (
  | { /** Never answers and does nothing. */ readonly kind: 'hang' }
  | { /** Cuts the connection and does nothing. */ readonly kind: 'reset' }
  | {
      /** Does as asked, then cuts the connection instead of answering. */ readonly kind: 'loseAnswer';
    }
  | {
      /** Answers with this error and does nothing. */
      readonly kind: 'error';
      /** For example `ProvisionedThroughputExceededException`. */
      readonly type: string;
      readonly status: number;
    }
  | {
      /** Leaves the last items out of every page of Scan and Query, which otherwise looks whole. */
      readonly kind: 'shrinkScan';
      /** From 0 to 1; what it comes to is rounded up. */
      readonly dropFraction: number;
    }
  | { /** Ends the answer half-way, short of its Content-Length. */ readonly kind: 'truncatePage' }
);

/** The fault in force, and how many more requests it hits. */
export class DynamoDbFaultSwitch {
  #fault: DynamoDbFault | undefined;
  #hitsLeft = 0;

  set(fault: DynamoDbFault | undefined): void {
    this.#fault = fault;
    this.#hitsLeft = fault?.times ?? Number.POSITIVE_INFINITY;
  }

  /** The fault that hits this request, which thereby counts. */
  take(operation = 'Unknown', bytes = 0): DynamoDbFault | undefined {
    const fault = this.#fault;
    if (!fault || this.#hitsLeft === 0) return undefined;
    if (fault.operations && !fault.operations.includes(operation)) return undefined;
    if (bytes <= (fault.largerThanBytes ?? -1)) return undefined;
    this.#hitsLeft -= 1;
    return fault;
  }
}

/** Answers in place of the operation; false where the fault lets it run first. */
export function answerBefore(res: ServerResponse, fault: DynamoDbFault): boolean {
  switch (fault.kind) {
    case 'hang':
      return true;
    case 'reset':
      res.socket?.resetAndDestroy();
      return true;
    case 'error': {
      const body = { __type: `com.amazonaws.dynamodb.v20120810#${fault.type}`, message: 'Fault' };
      sendAnswer(res, encodeAnswer({ status: fault.status, body }));
      return true;
    }
    case 'loseAnswer':
    case 'shrinkScan':
    case 'truncatePage':
      return false;
  }
}

/** Sends the operation's answer as the fault leaves it. */
export function answerAfter(res: ServerResponse, fault: DynamoDbFault, answer: RawAnswer): void {
  switch (fault.kind) {
    case 'loseAnswer':
      res.socket?.resetAndDestroy();
      return;
    case 'truncatePage':
      res.writeHead(answer.status, answer.headers);
      res.write(answer.body.subarray(0, Math.floor(answer.body.length / 2)), () => {
        res.socket?.destroy();
      });
      return;
    case 'shrinkScan':
      sendAnswer(res, shrink(answer, fault.dropFraction));
      return;
    case 'hang':
    case 'reset':
    case 'error':
      sendAnswer(res, answer);
      return;
  }
}

function shrink(answer: RawAnswer, dropFraction: number): RawAnswer {
  const page = JSON.parse(answer.body.toString('utf8')) as Record<string, unknown>;
  const items = page['Items'];
  if (answer.status !== 200 || !Array.isArray(items)) return answer;
  const kept = items.slice(0, items.length - Math.ceil(items.length * dropFraction));
  return encodeAnswer({ status: 200, body: { ...page, Items: kept, Count: kept.length } });
}
