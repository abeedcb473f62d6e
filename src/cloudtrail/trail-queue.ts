/** An SQS queue that says which files of a trail were delivered: messages are taken in tens, and removed when they are done with. */

import type { SQSClient } from '@aws-sdk/client-sqs';
import { collectUpTo } from '../aws/bounded-answers.ts';
import { type Sqs, sqsClient } from '../aws/sqs-client.ts';
import { regionPattern } from '../core/aws-names.ts';
import { isSecureUrl } from '../kit/net/secure-url.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { withDeadline } from '../kit/timing/with-deadline.ts';

export interface QueueMessage {
  readonly id: string;
  readonly body: string;
  /** What it is removed by. */
  readonly receipt: string;
  /** How often it was received, this time included, as far as SQS knows. */
  readonly receiveCount: number;
}

/** What SQS, or what answers in its place, does not give. The message says what was asked of it, and what it said. */
export class QueueError extends Error {
  override readonly name = 'QueueError';
}

export interface TrailQueueOptions {
  /** Of the queue: `https://sqs.<region>.amazonaws.com/<account>/<name>`. */
  readonly url: string;
  /** For a URL that does not say it. */
  readonly region: string | undefined;
  readonly clock: Clock;
  /** For one answer. */
  readonly requestTimeoutMs?: number;
}

/** The most that SQS gives, and takes, at a time. */
const batchSize = 10;
/** Messages of a look are seen by nobody else for so long; those of one that failed come again then. */
const visibilitySeconds = 15 * 60;
/** A message has at most 1 MiB, of which each character may take two in JSON. */
const maxAnswerBytes = 24 * 1024 * 1024;
const defaultRequestMs = 10_000;

export class TrailQueue {
  readonly #options: TrailQueueOptions;
  readonly #region: string;
  #loading: Promise<{ readonly sqs: Sqs; readonly client: SQSClient }> | undefined;

  /** @throws QueueError that says what to give instead */
  constructor(options: TrailQueueOptions) {
    const { url, region: given } = options;
    if (!URL.canParse(url) || !isSecureUrl(new URL(url)))
      throw new QueueError('Write --queue as the https URL of the queue.');
    const region = /^sqs\.([a-z0-9-]+)\.amazonaws\./.exec(new URL(url).hostname)?.[1] ?? given;
    if (region === undefined || !regionPattern.test(region))
      throw new QueueError('Say with --region which Region the queue is in.');
    this.#options = options;
    this.#region = region;
  }

  /** None: the queue is empty for now. @throws QueueError */
  async receive(): Promise<readonly QueueMessage[]> {
    const { url: QueueUrl } = this.#options;
    const { Messages = [] } = await this.#ask('no messages can be received', (sqs, client) => {
      const ask = new sqs.ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: batchSize,
        MessageSystemAttributeNames: ['ApproximateReceiveCount'],
        VisibilityTimeout: visibilitySeconds,
        // Asks all servers of the queue; without waiting only some, and an answer without messages would say nothing.
        WaitTimeSeconds: 1,
      });
      return (abortSignal) => client.send(ask, { abortSignal });
    });
    return Messages.map(({ MessageId = '', Body = '', ReceiptHandle = '', Attributes = {} }) => ({
      id: MessageId,
      body: Body,
      receipt: ReceiptHandle,
      receiveCount: Number(Attributes['ApproximateReceiveCount'] ?? 1),
    }));
  }

  /** @throws QueueError if one of them may still be there */
  async remove(messages: readonly Pick<QueueMessage, 'receipt'>[]): Promise<void> {
    const { url: QueueUrl } = this.#options;
    for (let from = 0; from < messages.length; from += batchSize) {
      const batch = messages.slice(from, from + batchSize);
      const what = 'messages that were read cannot be removed';
      const { Failed = [] } = await this.#ask(what, (sqs, client) => {
        const Entries = batch.map(({ receipt }, index) => ({
          Id: `${index}`,
          ReceiptHandle: receipt,
        }));
        const ask = new sqs.DeleteMessageBatchCommand({ QueueUrl, Entries });
        return (abortSignal) => client.send(ask, { abortSignal });
      });
      if (Failed.length > 0) throw new QueueError(`${what}: ${Failed[0]?.Code}`);
    }
  }

  stop(): void {
    this.#loading?.then(({ client }) => client.destroy()).catch(() => {});
  }

  async #ask<Answer>(
    what: string,
    prepare: (sqs: Sqs, client: SQSClient) => (abortSignal: AbortSignal) => Promise<Answer>,
  ): Promise<Answer> {
    const { clock, requestTimeoutMs = defaultRequestMs } = this.#options;
    try {
      const { sqs, client } = await this.#load();
      const send = prepare(sqs, client);
      return await withDeadline({ clock, timeoutMs: 3 * requestTimeoutMs }, send);
    } catch (error) {
      // The name of the error is the code of SQS, such as AccessDenied.
      throw new QueueError(`${what}: ${(error as Error).name}`, { cause: error });
    }
  }

  #load() {
    const { url, requestTimeoutMs = defaultRequestMs } = this.#options;
    const [region, endpoint] = [this.#region, new URL(url).origin];
    const streamCollector = (stream: AsyncIterable<Uint8Array>) =>
      collectUpTo(stream, maxAnswerBytes);
    this.#loading ??= import('@aws-sdk/client-sqs').then((sqs) => ({
      sqs,
      client: sqsClient(sqs, { region, endpoint, requestTimeoutMs, streamCollector }),
    }));
    return this.#loading;
  }
}
