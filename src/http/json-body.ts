/** Reads a small JSON body: bounded, uncompressed, strict, and checked against a schema. */

import type { z } from 'zod';
import { BrokerError } from '../core/errors.ts';
import { jsonPointer } from '../kit/json/json-pointer.ts';
import { parseStrictJson, StrictJsonError } from '../kit/json/strict-json.ts';
import type { AdmittedRequest } from './admission.ts';
import { readBodyBytes } from './body-bytes.ts';
import { requireMediaType } from './media-type.ts';
import type { RememberedBodies } from './remembered-bodies.ts';

const limits = { maxDepth: 16, maxKeys: 1024 };

export interface JsonBodyOptions<Schema extends z.ZodType> {
  readonly schema: Schema;
  readonly maxBytes: number;
  /** For documents that hold policies of IAM, which compares numbers as they are written. */
  readonly numbers?: 'as_written';
  /** What an absent body stands for; without it the body is required. */
  readonly whenAbsent?: z.output<Schema>;
  /** Where the same body comes again and again. */
  readonly remembered?: RememberedBodies<z.output<Schema> & object>;
}

/** @throws BrokerError `media_type_unsupported`, `body_too_large`, `body_malformed` or `body_invalid`. */
export async function readJsonBody<Schema extends z.ZodType>(
  req: AdmittedRequest,
  { schema, maxBytes, numbers, whenAbsent, remembered }: JsonBodyOptions<Schema>,
): Promise<z.output<Schema>> {
  const { 'content-length': length, 'transfer-encoding': chunked } = req.headers;
  const absent = chunked === undefined && (length === undefined || length === '0');
  if (absent && whenAbsent !== undefined) return whenAbsent;
  requireMediaType(req.headers, 'application/json');
  const bytes = await readBodyBytes(req, maxBytes);
  const read = () => {
    const document = parseBody(bytes, numbers);
    // Go clients of openapi-generator cannot leave an optional body out: they send null.
    if (document === null && whenAbsent !== undefined) return whenAbsent;
    return checked(document, schema);
  };
  return remembered === undefined
    ? read()
    : remembered.get(bytes, read as () => object & z.output<Schema>);
}

function parseBody(bytes: Buffer, numbers: 'as_written' | undefined): unknown {
  try {
    return parseStrictJson(bytes, numbers === undefined ? limits : { ...limits, numbers });
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    throw new BrokerError('body_malformed', { detail: `The body ${error.message}.` });
  }
}

function checked<Schema extends z.ZodType>(document: unknown, schema: Schema): z.output<Schema> {
  const parsed = schema.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new BrokerError('body_invalid', {
    detail: 'The body does not have the expected shape; "errors" says where.',
    faults: parsed.error.issues.map((issue) => ({
      pointer: jsonPointer(issue.path),
      detail: issue.code === 'unrecognized_keys' ? 'has members that are not known' : issue.message,
    })),
  });
}
