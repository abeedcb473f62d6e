/** An SQS on loopback (JSON 1.0) with one standard queue: ReceiveMessage, DeleteMessageBatch and, for tests, what was sent to it. */

import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../../src/kit/timing/clock.ts';
import { closeServer, listenOnLoopback, readBody, staysOpen } from '../loopback-http.ts';

export interface SqsServer {
  readonly queueUrl: string;
  /** Actions in the order in which they were asked for. */
  readonly asked: readonly string[];
  /** How many messages the queue has, those included that somebody has received and not removed. */
  readonly size: number;
  /** `receives`: how often somebody has received it before. */
  send(body: string, receives?: number): void;
  /** From now on. */
  behave(how: SqsBehaviour): void;
  stop(): Promise<void>;
}

/** `keep`: says of a message that is to be removed that it could not be. An error is that of all actions, or of one. */
export type SqsBehaviour =
  | 'answer'
  | 'silent'
  | 'endless'
  | 'keep'
  | { readonly error: string; readonly action?: string };

interface Message {
  readonly id: string;
  readonly body: string;
  /** Epoch milliseconds. */
  visibleFrom: number;
  receipt: string;
  receives: number;
}

const maxBodyBytes = 64 * 1024;

export async function startSqsServer({ clock }: { readonly clock: Clock }): Promise<SqsServer> {
  const queue = new LocalQueue(clock);
  const asked: string[] = [];
  let how: SqsBehaviour = 'answer';
  const server = createServer(staysOpen, async (req, res) => {
    const action = String(req.headers['x-amz-target']).replace('AmazonSQS.', '');
    const body = await readBody(req, maxBodyBytes);
    if (body.kind !== 'complete') return;
    asked.push(action);
    if (how === 'silent') return;
    res.setHeader('content-type', 'application/x-amz-json-1.0');
    if (how === 'endless') {
      const more = () =>
        void (res.destroyed || res.write(' '.repeat(65_536), () => setImmediate(more)));
      more();
      return;
    }
    const refused = refusal(how, action, req.headers);
    const answer =
      refused ?? queue.answer(action, JSON.parse(body.bytes.toString()), how === 'keep');
    res.writeHead(answer === undefined || refused !== undefined ? 400 : 200);
    res.end(JSON.stringify(answer ?? { __type: 'InvalidAction' }));
  });
  const origin = await listenOnLoopback(server);
  return {
    queueUrl: `${origin}/123456789012/trail`,
    asked,
    get size() {
      return queue.messages.length;
    },
    send: (body, receives) => queue.send(body, receives),
    behave(next) {
      how = next;
    },
    stop: () => closeServer(server),
  };
}

function refusal(how: SqsBehaviour, action: string, { authorization = '' }: IncomingHttpHeaders) {
  const isSigned = /^AWS4-HMAC-SHA256 Credential=[^,]+\/sqs\/aws4_request,/.test(authorization);
  if (!isSigned) return { __type: 'com.amazonaws.sqs#AccessDeniedException' };
  if (typeof how !== 'object' || (how.action ?? action) !== action) return undefined;
  return { __type: `com.amazonaws.sqs#${how.error}`, message: 'as the test asked' };
}

interface Request {
  readonly MaxNumberOfMessages?: number;
  readonly VisibilityTimeout?: number;
  readonly MessageSystemAttributeNames?: readonly string[];
  readonly Entries?: readonly { readonly Id: string; readonly ReceiptHandle: string }[];
}

class LocalQueue {
  messages: Message[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  send(body: string, receives = 0): void {
    this.messages.push({ id: randomUUID(), body, visibleFrom: 0, receipt: '', receives });
  }

  answer(action: string, request: Request, keep: boolean): object | undefined {
    if (action === 'ReceiveMessage') return this.#receive(request);
    if (action === 'DeleteMessageBatch') return this.#remove(request.Entries ?? [], keep);
    return undefined;
  }

  #receive(request: Request): object {
    const { MaxNumberOfMessages = 1, VisibilityTimeout = 30 } = request;
    const isCounted = request.MessageSystemAttributeNames?.includes('ApproximateReceiveCount');
    const now = this.#clock.now();
    const given = this.messages
      .filter(({ visibleFrom }) => visibleFrom <= now)
      .slice(0, MaxNumberOfMessages);
    for (const message of given) {
      message.visibleFrom = now + VisibilityTimeout * 1000;
      message.receipt = randomUUID();
      message.receives += 1;
    }
    return {
      Messages: given.map(({ id, body, receipt, receives }) => ({
        MessageId: id,
        ...(isCounted && { Attributes: { ApproximateReceiveCount: `${receives}` } }),
        ReceiptHandle: receipt,
        MD5OfBody: createHash('md5').update(body).digest('hex'),
        Body: body,
      })),
    };
  }

  #remove(entries: NonNullable<Request['Entries']>, keep: boolean): object {
    const failed = entries.map(({ Id }) => ({ Id, Code: 'InternalError', SenderFault: false }));
    if (keep) return { Successful: [], Failed: failed };
    const receipts = new Set(entries.map(({ ReceiptHandle }) => ReceiptHandle));
    this.messages = this.messages.filter(({ receipt }) => !receipts.has(receipt));
    return { Successful: entries.map(({ Id }) => ({ Id })), Failed: [] };
  }
}
