import { StsError } from './sts-error.ts';

/** The parameters of one request, by their full name (`PolicyArns.member.1.arn`). */
export type QueryParameters = ReadonlyMap<string, string>;

const maxParameters = 100;

/**
 * Parses the form body of an AWS query request. Stricter than a browser's form parser: a repeated name, a
 * broken percent escape or bytes that are not UTF-8 are an error, never a guess.
 */
export function parseQueryForm(contentType: string | undefined, body: Buffer): QueryParameters {
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(contentType ?? '')) {
    throw new StsError(
      'MalformedInput',
      'The content type must be application/x-www-form-urlencoded',
    );
  }
  const parameters = new Map<string, string>();
  const pairs = decodeUtf8(body).split('&').filter(Boolean);
  if (pairs.length > maxParameters) throw new StsError('MalformedInput', 'Too many parameters');
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const name = decodeComponent(equals < 0 ? pair : pair.slice(0, equals));
    if (parameters.has(name)) throw new StsError('MalformedInput', 'A parameter is repeated');
    parameters.set(name, equals < 0 ? '' : decodeComponent(pair.slice(equals + 1)));
  }
  return parameters;
}

const operations = ['AssumeRoleWithWebIdentity', 'GetCallerIdentity'] as const;
export type StsOperation = (typeof operations)[number];

/** The operation that a request names. Throws `MissingAction` or `InvalidAction`. */
export function operationOf(parameters: QueryParameters): StsOperation {
  const action = parameters.get('Action');
  if (!action) {
    throw new StsError(
      'MissingAction',
      'The request is missing an action or a required parameter.',
    );
  }
  const version = parameters.get('Version') || 'NO_VERSION_SPECIFIED';
  const operation = operations.find((name) => name === action);
  if (!operation || version !== '2011-06-15') {
    const message = `Could not find operation ${action.slice(0, 128)} for version ${version.slice(0, 32)}`;
    throw new StsError('InvalidAction', message);
  }
  return operation;
}

function decodeUtf8(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new StsError('MalformedInput', 'The body is not UTF-8');
  }
}

function decodeComponent(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new StsError('MalformedInput', 'A parameter has a malformed percent escape');
  }
}
