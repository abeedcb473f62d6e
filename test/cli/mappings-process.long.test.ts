import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { configText } from '../../emulators/config-text.ts';
import { mappingText, type TableUnderTest } from '../support/mapping-folder.ts';
import { mappingStack } from '../support/mapping-stack.ts';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const stack = mappingStack();
const { folders } = stack;
let table: TableUnderTest;
let config: string;
let directory: string;

beforeAll(async () => {
  table = await stack.newTable();
  directory = folders.folder({ 'a.yaml': mappingText('a', 'conditions: { caller: machine }\n') });
  config = join(folders.folder(), 'config.yaml');
  const { profile, identity, policy, sts, audit } = table.config;
  writeFileSync(config, configText({ profile, identity, policy, sts, audit }));
});

/** As a pipeline runs it: no terminal anywhere. */
function run(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [main, ...args], (error, out, err) => {
      resolve({ code: Number(error?.code ?? 0), out, err });
    });
    child.stdin?.end();
  });
}

describe('the mappings commands as processes', () => {
  it('tell drift, wrong usage and an invalid configuration apart by their exit codes', async () => {
    const invalid = join(folders.folder({ 'bad.yaml': 'profile: none' }), 'bad.yaml');
    const [drift, noConfig, unknown, usage, badConfig, late] = await Promise.all([
      run('mappings', 'plan', directory, '--config', config),
      run('mappings', 'plan', directory),
      run('mappings', 'plan', directory, '--config', config, '--colour'),
      run('mappings', 'apply', '--config', config, '--reason', 'x'),
      run('mappings', 'plan', directory, '--config', invalid),
      run('mappings', 'apply', '--plan', 'x', '--adopt', '--config', config, '--reason', 'x'),
    ]);
    expect([drift.code, noConfig.code, unknown.code]).toEqual([2, 1, 1]);
    expect([usage.code, late.code, badConfig.code]).toEqual([2, 2, 78]);
    expect(noConfig.err).toContain("required option '--config <file>'");
    expect(usage.err).toContain('name a folder or a --plan');
  });

  it('ask nobody and show no progress where there is no terminal', async () => {
    const apply = ['mappings', 'apply', directory, '--config', config, '--reason', 'TEST-1'];
    const refused = await run(...apply);
    expect(refused).toEqual({
      code: 2,
      out: '',
      err: 'Nobody is here to confirm the plan: add --yes.\n',
    });
    expect(await table.table.head()).toBe(0);
    const done = await run(...apply, '--yes');
    expect([done.code, done.err]).toEqual([0, '']);
    expect(await table.table.head()).toBe(1);
  });

  it('exit with 1, not 2, when the table cannot be reached', async () => {
    const { profile, identity, policy, sts, audit } = table.config;
    const elsewhere = join(folders.folder(), 'config.yaml');
    const absent = { ...policy, table: 'no-such-table' };
    writeFileSync(elsewhere, configText({ profile, identity, policy: absent, sts, audit }));
    const { code, out, err } = await run('mappings', 'plan', directory, '--config', elsewhere);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('does not exist in the configured region and account');
  });
});
