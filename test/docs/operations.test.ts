import { describe, expect, it } from '@jest/globals';
import { errorCodes } from '../../src/core/errors.ts';
import { alerts, recordings, spelledOut } from '../support/alert-rules.ts';
import { readDocument, tableRows } from '../support/markdown.ts';

const document = readDocument('operations.md');
const metricsDocument = readDocument('metrics.md');
const metrics = new Map(
  ['metric', 'metric of the watcher']
    .flatMap((of) => tableRows(metricsDocument, `| ${of} | type | labels | meaning |`))
    .map(([name = '', , labels = '']) => [name.replaceAll('`', ''), labels]),
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
  it('each lead to their own section, and say in a sentence what happens', () => {
    for (const { alert, annotations } of alerts) {
      expect(annotations).toEqual({
        summary: expect.stringMatching(/^[A-Z][^\n]*\.$/),
        runbook_url: `https://docs.example.com/token-broker/operations.md#${alert.toLowerCase()}`,
      });
    }
  });

  it('use every series that is recorded', () => {
    const unused = recordings.filter(
      ({ record }) => !alerts.some(({ expr }) => expr.includes(record)),
    );
    expect(unused).toEqual([]);
  });

  it('judge each namespace by itself (T191)', () => {
    const aggregations = alerts.flatMap(({ alert, expr }) =>
      [...spelledOut(expr).matchAll(/\b(sum|min|max|avg|count|group)\b(?! by \(namespace\b)/g)].map(
        ([text]) => `${alert}: ${text}`,
      ),
    );
    expect(aggregations).toEqual([]);
  });

  it('are about metrics and labels that there are', () => {
    for (const { alert, expr } of alerts) {
      for (const [, name = '', selector = ''] of spelledOut(expr).matchAll(
        /(tokenbroker_\w+?)(?:_bucket|_count)?\b(?:\{(\w+)[=!])?/g,
      )) {
        const labels = metrics.get(name);
        expect([alert, name, labels !== undefined]).toEqual([alert, name, true]);
        if (!['', 'le'].includes(selector)) expect(labels).toContain(`\`${selector}\``);
      }
    }
  });
});
