import { z } from 'zod';
import { BrokerError } from '../core/errors.ts';
import { jsonPointer } from '../kit/json/json-pointer.ts';
import type { AdmittedRequest } from './admission.ts';

/** A parameter that is `true` or `false`; absent means false. */
export const flagParameter = z
  .enum(['true', 'false'], 'must be true or false')
  .default('false')
  .transform((text) => text === 'true');

/** @throws BrokerError `query_invalid`. */
export function requireNoQuery(req: AdmittedRequest): void {
  if (req.url.includes('?')) {
    throw new BrokerError('query_invalid', { detail: 'This path takes no query.' });
  }
}

/**
 * The parameters, each at most once unless the schema takes a list of it, and none that the schema does not know. `+` stands for itself (RFC 3986):
 * role names have it, and nothing here has spaces.
 *
 * @throws BrokerError `query_invalid`.
 */
export function readQuery<Schema extends z.ZodObject>(
  req: AdmittedRequest,
  schema: Schema,
): z.output<Schema> {
  const parsed = schema.safeParse(parameters(req.url, schema));
  if (parsed.success) return parsed.data;
  throw invalid(
    'Correct the parameters that "errors" lists.',
    parsed.error.issues.map(({ path, message }) => ({
      pointer: jsonPointer(path),
      detail: message,
    })),
  );
}

function parameters(url: string, { shape }: z.ZodObject): Record<string, string | string[]> {
  const found: Record<string, string | string[]> = {};
  const at = url.indexOf('?');
  if (at === -1) return found;
  for (const part of url.slice(at + 1).split('&')) {
    const [name, value] = nameAndValue(part);
    if (!Object.hasOwn(shape, name)) {
      throw invalid(`This path knows only the parameters ${Object.keys(shape).join(', ')}.`);
    }
    const before = Object.hasOwn(found, name) ? found[name] : undefined;
    if (takesList(shape[name])) found[name] = [...(before ?? []), value];
    else if (before === undefined) found[name] = value;
    else throw invalid('Send each parameter once.');
  }
  return found;
}

function takesList(schema: z.core.$ZodType | undefined): boolean {
  return schema instanceof z.ZodDefault
    ? takesList(schema.def.innerType)
    : schema instanceof z.ZodArray;
}

function nameAndValue(part: string): readonly [name: string, value: string] {
  const equals = part.indexOf('=');
  if (equals === -1) throw invalid('Write parameters as name=value.');
  try {
    return [part.slice(0, equals), decodeURIComponent(part.slice(equals + 1))];
  } catch {
    throw invalid('Values must be percent-encoded UTF-8.');
  }
}

function invalid(detail: string, faults?: BrokerError['faults']): BrokerError {
  return new BrokerError('query_invalid', { detail, faults });
}
