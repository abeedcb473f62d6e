/** `table anchor`: prints what a broker believes from then on, so it looks first. */

import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { withMappingTable } from '../../src/cli/mapping-table.ts';
import { printAnchor } from '../../src/cli/table-anchor.ts';
import { type Config, configSchema } from '../../src/config/schema.ts';
import { changeKey, currentKey } from '../../src/dynamodb/role-mapping-item.ts';
import { keyFiles } from '../support/key-files.ts';
import { captured, row } from '../support/mapping-folder.ts';
import { mappingStack } from '../support/mapping-stack.ts';

const stack = mappingStack();
const { folders } = stack;
const keys = keyFiles(folders.folder(), 'seal');
const seal = { publicKeyFiles: [keys.publicKey], keyFile: keys.privateKey };

type SealSection = NonNullable<Config['policy']['seal']>;

const configured = (config: Config, section?: Partial<SealSection>): Config =>
  configSchema.parse({
    ...config,
    policy: { ...config.policy, seal: section && { ...seal, ...section } },
  });

const printed = (config: Config, unsealed = false) => {
  const terminal = { colours: false, ask: undefined, showProgress() {} };
  return captured((output) => printAnchor(config, output, { terminal, unsealed }));
};

async function edit(config: Config, ...ids: readonly string[]): Promise<void> {
  await withMappingTable(config, async (table) => {
    for (const id of ids) {
      const facts = { id, mapping: row(id), actor: 'x', reason: 'test' };
      await table.write({ ...facts, expectedVersion: 'absent' });
    }
  });
}

const forged = { ...row('a'), description: 'by somebody else' };

const anchorIn = (out: string): SealSection['anchor'] => parse(out).policy.seal.anchor;

describe('table anchor', () => {
  it('begins seals on a table that has entries, and prints a newer one once they count (T325)', async () => {
    const { config } = await stack.newTable();
    await edit(config, 'a', 'b');
    expect(await printed(config)).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('--unsealed'),
    });
    const first = await printed(config, true);
    expect([first.code, first.err]).toEqual([0, expect.stringContaining('2 role mappings')]);
    const anchor = anchorIn(first.out);
    expect(anchor).toMatchObject({ revision: 2 });

    // The same, and now believed.
    const sealed = configured(config, { anchor });
    expect(await printed(sealed)).toMatchObject({ code: 0, out: first.out });
    await edit(sealed, 'c');
    const next = anchorIn((await printed(sealed)).out);
    expect(next).toMatchObject({ revision: 3 });
    await edit(configured(config, { anchor: next }), 'one');
    expect((await printed(configured(config, { anchor: next }))).code).toBe(0);
  });

  it('prints nothing of a log that somebody rewrote, unless told that it is true (T325)', async () => {
    const { config, rewrite } = await stack.newTable();
    await edit(configured(config, {}), 'a', 'b');
    await rewrite(changeKey(1), { after: forged });
    await rewrite(currentKey('a'), { mapping: forged });
    expect(await printed(configured(config, {}))).toMatchObject({ code: 1, out: '' });
    expect(await printed(configured(config, {}), true)).toMatchObject({ code: 0 });
  });

  it('prints nothing where rows are not what the log says, whoever vouches for it (T325)', async () => {
    const { config, rewrite } = await stack.newTable();
    await edit(config, 'a', 'b');
    await rewrite(currentKey('a'), { mapping: forged });
    expect(await printed(config, true)).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('change log says of them: a.'),
    });
  });

  it('has none for a table that is empty', async () => {
    const { config } = await stack.newTable();
    expect(await printed(config, true)).toMatchObject({ code: 1, out: '' });
    expect(await printed(configured(config, {}))).toMatchObject({ code: 1, out: '' });
  });
});
