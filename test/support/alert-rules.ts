/** The alerts and recording rules that operators are given, as Prometheus reads them. */

import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook_url: string };
}

interface Recording {
  readonly record: string;
  readonly expr: string;
}

interface PrometheusRule {
  readonly spec: { readonly groups: readonly { readonly rules: readonly (Alert | Recording)[] }[] };
}

const file = new URL('../../k8s/components/pod-monitor/prometheus-rule.yaml', import.meta.url);

/** A rule file for Prometheus itself. */
export const ruleFile = (parse(readFileSync(file, 'utf8')) as PrometheusRule).spec;

const rules = ruleFile.groups.flatMap((group) => group.rules);

export const recordings = rules.filter((rule): rule is Recording => 'record' in rule);

export const alerts = rules.filter((rule): rule is Alert => 'alert' in rule);

/** With each series that a rule records replaced by what it is recorded from. */
export function spelledOut(expr: string): string {
  return expr.replace(/\w+:\w+:\w+/g, (name) => {
    const recorded = recordings.find(({ record }) => record === name);
    if (recorded === undefined) throw new Error(`nothing records ${name}`);
    return `(${recorded.expr})`;
  });
}
