/** `mappings apply` where the change log is sealed: what was written around it makes no change look as if it needed nobody else. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { withMappingTable } from '../../src/cli/mapping-table.ts';
import { configSchema } from '../../src/config/schema.ts';
import { changeKey, currentKey } from '../../src/dynamodb/role-mapping-item.ts';
import { keyFiles } from '../support/key-files.ts';
import { mappingText, row, type TableUnderTest } from '../support/mapping-folder.ts';
import { mappingStack } from '../support/mapping-stack.ts';

const stack = mappingStack();
const { folders } = stack;
const keys = keyFiles(folders.folder(), 'seal');

/** A session of twelve hours stands behind one of an hour, for the same caller and role. */
const shared = { principal: row('one').principal, role: row('one').role };
const behind = row('two', { ...shared, precedence: 200, session: { maxDurationSeconds: 43_200 } });

async function sealedTable() {
  const made = await stack.newTable();
  const { guardrails, policy } = made.config;
  const seal = { publicKeyFiles: [keys.publicKey], keyFile: keys.privateKey };
  const config = configSchema.parse({
    ...made.config,
    policy: { ...policy, seal },
    guardrails: { ...guardrails, approval: { ...guardrails.approval, when: 'widens' } },
  });
  await withMappingTable(config, async (table) => {
    for (const mapping of [behind, row('one', shared), row('three'), row('a')]) {
      const { id } = mapping;
      await table.write({ id, mapping, expectedVersion: 'absent', actor: 'x', reason: 'test' });
    }
  });
  return { ...made, config };
}

/** In the row and in the change log alike. */
async function disableBehind({ rewrite }: TableUnderTest): Promise<void> {
  const disabledOne = { ...behind, enabled: false };
  await rewrite(currentKey('two'), { mapping: disabledOne });
  await rewrite(changeKey(1), { after: disabledOne });
}

const filesWith = (...ids: readonly string[]) =>
  folders.folder({
    'behind.yaml':
      `${mappingText('two')}precedence: 200\nsession: { maxDurationSeconds: 43200 }\nmanagedBy: git\n`
        .replace('client-two', 'client-one')
        .replace('broker/two', 'broker/one'),
    ...Object.fromEntries(ids.map((id) => [`${id}.yaml`, mappingText(id)])),
  });

/** As it would be read from the table that was changed. */
const disabled = (directory: string) => {
  writeFileSync(
    join(directory, 'behind.yaml'),
    `${readFileSync(join(directory, 'behind.yaml'), 'utf8')}enabled: false\n`,
  );
  return directory;
};

const refused = [1, expect.stringContaining('give the token')];

describe('mappings apply to a sealed table', () => {
  it('makes what only takes away, and looks at what lies behind it', async () => {
    const { config, table, apply } = await sealedTable();
    const narrows = await apply(filesWith('a', 'one'), { config, prune: true });
    expect([narrows.code, narrows.err]).toEqual([0, expect.anything()]);
    expect(await table.get('three')).toBe(undefined);
    const uncovers = await apply(filesWith('a'), { config, prune: true });
    expect([uncovers.code, uncovers.err]).toEqual(refused);
    expect(await table.get('one')).toBeDefined();
  });

  it('T327: takes for narrower only what is narrower than what is in force, whatever the row says', async () => {
    const { config, table, apply, rewrite } = await sealedTable();
    const wide = row('a', { session: { maxDurationSeconds: 43_200 } });
    await rewrite(currentKey('a'), { mapping: wide });
    const directory = filesWith('one', 'three');
    const asked = 'session: { maxDurationSeconds: 36000 }\nmanagedBy: git\n';
    writeFileSync(join(directory, 'a.yaml'), `${mappingText('a')}${asked}`);
    const narrower = await apply(directory, { config });
    expect([narrower.code, narrower.err]).toEqual(refused);
    expect(await table.head()).toBe(4);
  });

  it('T324: hides nothing that lies behind it by what was written around the change log', async () => {
    const sealed = await sealedTable();
    const { config, table, apply } = sealed;
    await disableBehind(sealed);
    const uncovers = await apply(disabled(filesWith('a', 'three')), { config, prune: true });
    expect([uncovers.code, uncovers.err]).toEqual(refused);
    expect(await table.get('one')).toBeDefined();
  });
});
