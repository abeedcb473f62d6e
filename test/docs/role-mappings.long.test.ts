import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { seedMappings } from '../../emulators/seed.ts';
import { defaultGuardrails } from '../../src/core/policy/guardrails.ts';
import { checkRoleMapping } from '../../src/core/policy/mapping-check.ts';
import { roleMappingSchema } from '../../src/core/policy/role-mapping.ts';
import { type AdminHarness, startAdmin } from '../support/admin-harness.ts';
import { runBash } from '../support/shell.ts';

const page = readFileSync(new URL('../../docs/role-mappings.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/^```bash\n(.*?)^```$/gms)].map((match) => match[1] ?? '');
const documents = [...page.matchAll(/<<'JSON'\n(.*?)^JSON$/gms)].map((match) =>
  JSON.parse(match[1] ?? ''),
);

const rules = { matchableClaims: new Set<string>(), guardrails: defaultGuardrails };

describe('docs/role-mappings.md', () => {
  it('shows mappings that the local configuration accepts, each under its own id', () => {
    expect(documents.map(({ id }) => id)).toEqual([
      'stock-reader',
      'finance-reports',
      'own-invoices',
      'migration-night',
      'stop-reports',
    ]);
    for (const document of documents) {
      expect(checkRoleMapping(document, rules)).toMatchObject({
        kind: 'valid',
      });
    }
  });

  it('names every member of a mapping, and its default', () => {
    const { conditions, session } = roleMappingSchema.shape;
    const names = [
      ...Object.keys(roleMappingSchema.shape),
      ...Object.keys(conditions.unwrap().shape),
      ...Object.keys(session.unwrap().shape),
    ];
    for (const name of names) expect(page).toMatch(new RegExp(`^\\| (?:.*, )?\`${name}\``, 'm'));
  });
});

describe('the commands of docs/role-mappings.md, pasted one after the other', () => {
  let admin: AdminHarness;
  let directory: string;
  let outputs: readonly string[];

  beforeAll(async () => {
    admin = await startAdmin();
    for (const seed of seedMappings()) await admin.create(roleMappingSchema.parse(seed));
    directory = mkdtempSync(join(tmpdir(), 'token-broker-docs-'));
    const mark = '----- next block -----';
    // One shell, as the reader has.
    const printed = await runBash(blocks.join(`\necho '${mark}'\n`), {
      cwd: directory,
      env: { ADMIN: admin.token(), ADMIN_URL: admin.url },
    });
    outputs = printed.split(mark);
  });

  afterAll(async () => {
    await admin.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const answers = (name: string): Record<string, never>[] =>
    (outputs[blocks.findIndex((block) => block.includes(name))] ?? '')
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line));

  it('are all accepted', () => {
    expect(outputs).toHaveLength(blocks.length);
    expect(answers('?dryRun=true').map(({ dryRun }) => dryRun)).toEqual([true, false]);
  });

  it('explain what the page says that they explain', () => {
    expect(answers('stock/write')).toMatchObject([
      { decision: { outcome: 'deny', reason: 'scope_missing' } },
    ]);
    expect(answers('/v1/permissions?')).toMatchObject([
      {
        items: [{ id: 'stock-reader', status: 'in_force', conditions: { scopes: ['stock/read'] } }],
      },
    ]);
    expect(answers('own-invoices.json').at(-1)).toMatchObject({
      decision: { outcome: 'allow' },
      sts: { policy: expect.stringContaining('invoices/7d8e2a5c-1111') },
    });
    expect(answers('finance-reports.json <<').at(-1)).toMatchObject({
      decision: { outcome: 'allow' },
    });
    expect(answers('migration-night.json').at(-1)).toMatchObject({
      items: [{ id: 'migration-night', status: 'not_yet_valid' }],
    });
    expect(answers('stop-reports.json').at(-1)).toMatchObject({
      decision: { outcome: 'deny', reason: 'explicit_deny', mapping: { id: 'stop-reports' } },
    });
  });

  it('leave nothing behind but what the page has not taken back', () => {
    const ids = [...admin.policy.current().byId.keys()];
    const seeded = seedMappings().map(({ id }) => id);
    expect(new Set(ids)).toEqual(
      new Set([...seeded, 'stock-reader', 'finance-reports', 'own-invoices']),
    );
    const { mapping, version } = admin.policy.current().byId.get('finance-reports') ?? {};
    expect([mapping?.session.durationSeconds, version]).toEqual([1800, 3]);
  });
});
