/** The parameters of a request of the AWS query protocol: each once, and nothing to guess. */

/** By full name, such as `PolicyArns.member.1.arn`. */
export type QueryParameters = ReadonlyMap<string, string>;

/** Its message says what to send instead, and repeats nothing of the form. */
export class QueryFormError extends Error {
  override readonly name = 'QueryFormError';
}

const maxParameters = 64;
const plainName = /^[A-Za-z0-9.]{1,128}$/;

/**
 * Stricter than a browser's form parser.
 *
 * @throws QueryFormError
 */
export function parseQueryForm(bytes: Buffer): QueryParameters {
  const parameters = new Map<string, string>();
  if (bytes.length === 0) return parameters;
  const pairs = bytes.toString('latin1').split('&', maxParameters + 1);
  if (pairs.length > maxParameters) throw new QueryFormError('The form has too many parameters.');
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const name = decoded(pair.slice(0, Math.max(equals, 0)));
    if (!plainName.test(name)) throw new QueryFormError('Write each parameter as Name=value.');
    if (parameters.has(name)) throw new QueryFormError('Send each parameter once.');
    parameters.set(name, decoded(pair.slice(equals + 1)));
  }
  return parameters;
}

function decoded(text: string): string {
  if (!/^[\x21-\x7e]*$/.test(text)) {
    throw new QueryFormError('Percent-encode everything beyond ASCII.');
  }
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new QueryFormError('Values must be percent-encoded UTF-8.');
  }
}
