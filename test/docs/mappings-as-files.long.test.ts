import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Command } from 'commander';
import { configText } from '../../emulators/config-text.ts';
import { seedMappings } from '../../emulators/seed.ts';
import { mappingCommands } from '../../src/cli/admin/admin-commands.ts';
import { addMappingsCommands } from '../../src/cli/commands/mappings.ts';
import { denyReasons } from '../../src/core/policy/deny-reasons.ts';
import { roleMappingSchema } from '../../src/core/policy/role-mapping.ts';
import { type AdminHarness, callerClient, startAdmin } from '../support/admin-harness.ts';
import { processEdge } from '../support/command-line.ts';
import { configFor } from '../support/mapping-folder.ts';
import { codeBlocks, readDocument } from '../support/markdown.ts';
import { runBash } from '../support/shell.ts';

const page = readDocument('mappings-as-files.md');
const blocks = codeBlocks(page, 'bash');

/** Mappings of the local stack, each written once. */
const seeded = seedMappings().length;

describe('docs/mappings-as-files.md', () => {
  it('names every command, and every option that is not explained by --help alone', () => {
    const program = new Command();
    addMappingsCommands(program, processEdge());
    const byApi = new Set(mappingCommands.map(({ name }) => name));
    for (const command of program.commands[0]?.commands ?? []) {
      if (byApi.has(command.name())) continue;
      expect(page).toContain(`\`mappings ${command.name()}`);
      for (const { long } of command.options) expect(page).toContain(long);
    }
  });

  it('shows reasons that there are', () => {
    const shown = [...page.matchAll(/reason: (\w+)/g)].map((match) => match[1]);
    expect(shown.length).toBeGreaterThan(0);
    for (const reason of shown) expect(denyReasons).toContain(reason);
  });
});

describe('the commands of docs/mappings-as-files.md, pasted one after the other', () => {
  let admin: AdminHarness;
  let directory: string;
  let outputs: readonly string[];

  beforeAll(async () => {
    admin = await startAdmin();
    for (const seed of seedMappings()) await admin.create(roleMappingSchema.parse(seed));
    directory = mkdtempSync(join(tmpdir(), 'token-broker-docs-'));
    const config = join(directory, 'config.yaml');
    const { profile, identity, policy, sts, audit } = configFor(
      'admin-test',
      admin.dynamodb.url,
      join(directory, 'audit'),
    );
    // As in the local stack: one of its mappings has the identity of the broker.
    const webIdentity = { issuer: 'https://identity.example.com' };
    writeFileSync(config, configText({ profile, identity, policy, sts, audit, webIdentity }));
    const mark = '----- next block -----';
    const printed = await runBash(blocks.join(`\necho '${mark}'\n`), {
      cwd: directory,
      env: {
        CONFIG: config,
        MAIN: fileURLToPath(new URL('../../dist/main.js', import.meta.url)),
        ADMIN: admin.token(),
        ADMIN_URL: admin.url,
        TOKEN: admin.issuer.issueAccessToken({ clientId: callerClient, scopes: ['orders/write'] }),
      },
    });
    outputs = printed.split(mark);
  }, 60_000);

  afterAll(async () => {
    await admin.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const outputOf = (command: string) =>
    outputs[blocks.findIndex((block) => block.includes(command))] ?? '';

  it('export what is there, so that there is nothing to change', () => {
    const output = outputOf('mappings export');
    expect(output).toContain('$schema=schemas/role-mapping.v1.json');
    expect(output).toContain(`nothing to change; ${seeded} unchanged`);
  });

  it('take mappings over, which the API then refuses to edit', async () => {
    const output = outputOf('--adopt');
    expect(output).toContain('~ managedBy: "api" -> "git"');
    expect(output).toContain('exit code 2');
    expect(output).toContain(`Applied ${seeded} changes; revision ${2 * seeded}.`);
    await admin.policy.refresh();
    const answer = await admin.send('DELETE', '/v1/role-mappings/orders-writer', {
      headers: { 'if-match': '"2"', 'change-reason': 'by hand' },
    });
    expect([answer.status, answer.body.code]).toEqual([409, 'mapping_managed_by_git']);
  });

  it('check and test what the page shows', () => {
    const output = outputOf('mappings validate');
    expect(output).toContain(`valid: ${seeded + 1} role mappings, 4 tests, 0 warnings`);
    expect(output).toContain('4 passed');
  });

  it('apply a saved plan, and find nothing to do afterwards', () => {
    const output = outputOf('--out plan.json');
    expect(output).toContain('+ stock-reader (mappings/stock-reader.yaml:2)');
    expect(output).toContain(`Applied 1 changes; revision ${2 * seeded + 1}.`);
    expect(output).toContain(`nothing to change; ${seeded + 1} unchanged`);
  });

  it('keep what is in no file until it is pruned', () => {
    const output = outputOf('--prune');
    expect(output).toContain('stock-reader, version 1');
    expect(output).toContain('exit code 2');
    expect(output).toContain(`1 to delete; ${seeded} unchanged`);
    expect(output).toContain(`nothing to change; ${seeded} unchanged`);
  });

  it('explain why the orders service is allowed its role', () => {
    expect(outputOf('token-broker explain')).toMatch(/ALLOW\n {2}asked for orders-writer/);
  });

  it('leave who and why in the history', async () => {
    const { body } = await admin.send('GET', `/v1/changes?since=${2 * seeded}`);
    expect(body.items).toMatchObject([
      { id: 'stock-reader', action: 'create', reason: 'STOCK-7: new service' },
      { id: 'stock-reader', action: 'delete', reason: 'STOCK-8: service retired' },
    ]);
    expect(body.items[0].updatedBy).toMatch(/^cli:[^@]+@.+$/);
    expect(body.items[0].actorProven).toBe(false);
  });

  it('leave files that are as the page says', () => {
    const text = readFileSync(join(directory, 'mappings', 'orders-writer.yaml'), 'utf8');
    expect(text).not.toContain('managedBy');
  });
});
