import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { errorCodes } from '../../src/core/errors.ts';
import { readDocument, tableRows } from '../support/markdown.ts';

interface PrometheusRule {
  readonly spec: { readonly groups: readonly { readonly rules: readonly Alert[] }[] };
}

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
}

const file = new URL('../../k8s/components/pod-monitor/prometheus-rule.yaml', import.meta.url);
const rule = parse(readFileSync(file, 'utf8')) as PrometheusRule;
const alerts = rule.spec.groups.flatMap(({ rules }) => rules);
const document = readDocument('operations.md');
const metricsDocument = readDocument('metrics.md');
const metrics = new Map(
  tableRows(metricsDocument, '| metric | type | labels | meaning |').map(
    ([name = '', , labels = '']) => [name.replaceAll('`', ''), labels],
  ),
);

function sectionsBelow(heading: string): readonly string[] {
  const section = document.split(/^## /m).find((text) => text.startsWith(heading)) ?? '';
  return [...section.matchAll(/^### (\w+)$/gm)].map(([, name = '']) => name);
}

describe('docs/operations.md', () => {
  it.each([
    ['Alerts that page', 'page'],
    ['Alerts for working hours', 'ticket'],
  ])(
    'has under "%s" what to do for each of these alerts, and for no other',
    (heading, severity) => {
      const named = alerts.filter(({ labels }) => labels.severity === severity);
      expect(sectionsBelow(heading)).toEqual(named.map(({ alert }) => alert));
    },
  );

  it('names only codes, label values and alerts that there are', () => {
    const words = [...document.matchAll(/`([a-z]+_[a-z_]+)`/g)].map(([, word = '']) => word);
    const codes = words.filter((word) => /^(?:sts|policy|keys|audit|token)_/.test(word));
    const known = (code: string) => code in errorCodes || metricsDocument.includes(`\`${code}\``);
    expect(codes.filter((code) => !known(code))).toEqual([]);
    const references = [...document.matchAll(/TokenBroker\w+/g)].map(([name]) => name);
    const names = new Set(alerts.map(({ alert }) => alert));
    expect(references.filter((name) => !names.has(name))).toEqual([]);
  });
});

describe('the alerts', () => {
  it('are about metrics and labels that there are', () => {
    for (const { alert, expr } of alerts) {
      for (const [, name = '', selector = ''] of expr.matchAll(
        /(tokenbroker_\w+?)(?:_bucket|_count)?\b(?:\{(\w+)[=!])?/g,
      )) {
        const labels = metrics.get(name);
        expect([alert, name, labels !== undefined]).toEqual([alert, name, true]);
        if (selector !== '') expect(labels).toContain(`\`${selector}\``);
      }
    }
  });
});
