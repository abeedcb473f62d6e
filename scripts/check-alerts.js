/**
 * Has promtool check the alerts of the PrometheusRule, and run their tests. Those do not repeat where an alert's section
 * is: it is put in here, because promtool compares all annotations.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';

const root = fileURLToPath(new URL('..', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'token-broker-alerts-'));
try {
  const { spec } = parse(read('k8s/components/pod-monitor/prometheus-rule.yaml'));
  const tests = parse(read('test/kubernetes/alerts.yaml'));
  for (const { alertname, exp_alerts } of tests.tests.flatMap((test) => test.alert_rule_test)) {
    for (const { exp_annotations } of exp_alerts) {
      exp_annotations.runbook_url = runbookOf(spec, alertname);
    }
  }
  writeFileSync(join(directory, 'rules.yaml'), stringify(spec));
  writeFileSync(join(directory, 'alerts.yaml'), stringify(tests));
  const failed = ['check rules rules.yaml', 'test rules alerts.yaml'].filter(
    (command) => !promtool(command.split(' ')),
  );
  process.exitCode = failed.length === 0 ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function read(file) {
  return readFileSync(join(root, file), 'utf8');
}

function runbookOf({ groups }, alertname) {
  const alert = groups.flatMap(({ rules }) => rules).find((rule) => rule.alert === alertname);
  if (alert === undefined) throw new Error(`there is no alert ${alertname}`);
  return alert.annotations.runbook_url;
}

function promtool(args) {
  const { status, error } = spawnSync('promtool', args, { cwd: directory, stdio: 'inherit' });
  if (error !== undefined) {
    console.error('promtool is not installed; Debian has it in the package "prometheus".');
  }
  return status === 0;
}
