/** Every path from a value, own properties only but hidden ones too, to a text that holds one of the secrets. */
export function secretsIn(value: unknown, secrets: readonly string[]): readonly string[] {
  const found: string[] = [];
  const seen = new Set<unknown>();
  const walk = (node: unknown, path: string): void => {
    const text = textOf(node);
    if (text !== undefined) {
      if (secrets.some((secret) => text.includes(secret))) found.push(path);
    } else if (isObject(node) && !seen.has(node)) {
      seen.add(node);
      for (const [name, child] of childrenOf(node)) walk(child, `${path}.${name}`);
    }
  };
  walk(value, '$');
  return found;
}

function textOf(node: unknown): string | undefined {
  if (typeof node === 'string') return node;
  return node instanceof Uint8Array ? Buffer.from(node).toString('latin1') : undefined;
}

function isObject(node: unknown): node is object {
  return (typeof node === 'object' && node !== null) || typeof node === 'function';
}

function childrenOf(node: object): (readonly [name: string, child: unknown])[] {
  const items = node instanceof Map || node instanceof Set ? [...node] : [];
  return [
    ...items.map((item, index) => [`(${index})`, item] as const),
    ...Reflect.ownKeys(node).map((key) => [String(key), Reflect.get(node, key)] as const),
  ];
}
