/** DynamoDB's JSON 1.0 protocol, as far as the local server speaks it itself. */

import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { crc32 } from 'node:zlib';
import { isJsonObject } from '../../src/kit/json/json-object.ts';

export type Members = Record<string, unknown>;

export interface DynamoDbAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface RawRequest {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** An answer in bytes. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** Ends an operation with an error answer. */
export class DynamoDbError extends Error {
  readonly answer: DynamoDbAnswer;

  constructor(answer: DynamoDbAnswer) {
    super(String(answer.body['__type']));
    this.answer = answer;
  }
}

export function validationError(message: string): DynamoDbError {
  return errorOf('com.amazon.coral.validate#ValidationException', { message });
}

export function modelledError(
  name: string,
  members: Readonly<Record<string, unknown>>,
): DynamoDbError {
  return errorOf(`com.amazonaws.dynamodb.v20120810#${name}`, members);
}

/** The operation of a request to the 2012-08-10 API, or undefined for anything else. */
export function dynamoDbOperation(headers: IncomingHttpHeaders): string | undefined {
  return /^DynamoDB_20120810\.([A-Za-z]+)$/.exec(String(headers['x-amz-target']))?.[1];
}

export function parseInput(body: Buffer): Record<string, unknown> {
  let input: unknown;
  try {
    input = JSON.parse(body.toString('utf8'));
  } catch {
    input = undefined;
  }
  if (isJsonObject(input)) return input;
  throw errorOf('com.amazon.coral.service#SerializationException', {});
}

export function encodeAnswer({ status, body }: DynamoDbAnswer): RawAnswer {
  const bytes = Buffer.from(JSON.stringify(body));
  const headers = {
    'content-type': 'application/x-amz-json-1.0',
    'content-length': bytes.length,
    'x-amzn-requestid': randomUUID(),
    'x-amz-crc32': crc32(bytes),
  };
  return { status, headers, body: bytes };
}

export function sendAnswer(res: ServerResponse, { status, headers, body }: RawAnswer): void {
  res.writeHead(status, headers).end(body);
}

function errorOf(type: string, members: Readonly<Record<string, unknown>>): DynamoDbError {
  return new DynamoDbError({ status: 400, body: { __type: type, ...members } });
}
