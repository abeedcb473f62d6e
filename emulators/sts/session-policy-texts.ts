/**
 * The texts in a session policy: resources, names of condition keys, policy variables, characters. Written from the
 * IAM User Guide, and not from the grammar of the broker, which it is held against.
 */

/** Text and names, as they read without escapes, in the characters that STS takes for the parameter Policy. */
export function allowedCharacters(node: unknown): boolean {
  if (typeof node === 'string') {
    return [...node].every((character) => {
      const code = character.codePointAt(0) ?? 0;
      return code === 9 || code === 10 || code === 13 || (code >= 32 && code <= 255);
    });
  }
  if (typeof node !== 'object' || node === null) return true;
  return Object.entries(node).every(
    ([name, value]) => allowedCharacters(name) && allowedCharacters(value),
  );
}

/** `*`, or `arn:partition:service:region:account:resource`; the service is written out. */
export function isResource(resource: string): boolean {
  if (resource === '*') return true;
  const [arn, partition, service, ...rest] = partsOf(resource);
  if (arn !== 'arn' || rest.length < 3) return false;
  const plain = /^[a-z0-9-]+$/;
  return (partition === '*' || /^[a-z-]+$/.test(partition ?? '')) && plain.test(service ?? '');
}

/** `arn:*:…` is any partition: policies that AWS publishes have it. */
export function partitionFault(resource: string, own: string): string | undefined {
  if (resource === '*') return undefined;
  const partition = partsOf(resource)[1];
  if (partition === own || partition === '*') return undefined;
  return `Partition "${partition}" is not valid for resource "${resource}".`;
}

/** What stands between colons, but for those of policy variables. */
function partsOf(resource: string): readonly string[] {
  const parts = [''];
  let inVariable = false;
  for (let at = 0; at < resource.length; at++) {
    const character = resource.charAt(at);
    if (resource.startsWith('${', at)) inVariable = true;
    if (character === '}') inVariable = false;
    if (character === ':' && !inVariable) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts;
}

/** A service or an identity provider, a colon, and a name in the characters that keys of tags may have. */
export function isVariableName(key: string): boolean {
  const colon = key.indexOf(':');
  const vendor = key.slice(0, colon);
  const name = key.slice(colon + 1);
  if (colon < 1 || name === '') return false;
  if (!/^[A-Za-z0-9]/.test(vendor) || /[^A-Za-z0-9_./-]/.test(vendor)) return false;
  return [...name].every((character) => /[\p{L}\p{Z}\p{N}]|[_.:/=+@-]/u.test(character));
}

/** A text may hold `${*}`, `${?}`, `${$}`, and condition keys as variables, each with a default in quotes. */
export function unknownVariable(text: string): boolean {
  const [, ...openings] = text.split('${');
  return openings.some((opening) => {
    const end = opening.indexOf('}');
    const inside = opening.slice(0, Math.max(0, end));
    if (end < 0 || inside.includes('{')) return true;
    if (inside === '*' || inside === '?' || inside === '$') return false;
    const comma = inside.indexOf(',');
    if (comma < 0) return inside.includes("'") || !isVariableName(inside);
    const fallback = inside.slice(comma + 1).trim();
    const quoted = /^'[^']*'$/.test(fallback);
    return !quoted || !isVariableName(inside.slice(0, comma).trimEnd());
  });
}
