/** Has promtool check the alerts of the PrometheusRule, and run their tests. */

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';

const root = fileURLToPath(new URL('..', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'token-broker-alerts-'));
try {
  const rule = readFileSync(join(root, 'k8s/components/pod-monitor/prometheus-rule.yaml'), 'utf8');
  writeFileSync(join(directory, 'rules.yaml'), stringify(parse(rule).spec));
  copyFileSync(join(root, 'test/kubernetes/alerts.yaml'), join(directory, 'alerts.yaml'));
  const failed = ['check rules rules.yaml', 'test rules alerts.yaml'].filter(
    (command) => !promtool(command.split(' ')),
  );
  process.exitCode = failed.length === 0 ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function promtool(args) {
  const { status, error } = spawnSync('promtool', args, { cwd: directory, stdio: 'inherit' });
  if (error !== undefined) {
    console.error('promtool is not installed; Debian has it in the package "prometheus".');
  }
  return status === 0;
}
