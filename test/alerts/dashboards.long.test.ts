import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { stringify } from 'yaml';
import { filledIn, queries } from '../support/dashboards.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'token-broker-dashboards-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function promtool(expressions: readonly string[]) {
  const rules = expressions.map((expr, index) => ({ record: `panel:query:${index}`, expr }));
  const file = join(directory, 'rules.yaml');
  writeFileSync(file, stringify({ groups: [{ name: 'dashboards', rules }] }));
  const { status, stderr, error } = spawnSync('promtool', ['check', 'rules', file], {
    encoding: 'utf8',
  });
  if (error !== undefined) throw new Error('this test needs: apt-get install prometheus');
  return { status, stderr };
}

it('dashboards ask what Prometheus can read', () => {
  expect(queries.length).toBeGreaterThan(30);
  expect(promtool(queries.map(({ expr }) => filledIn(expr)))).toMatchObject({ status: 0 });
  expect(promtool(['sum by (pod (tokenbroker_policy_revision)']).status).not.toBe(0);
});
