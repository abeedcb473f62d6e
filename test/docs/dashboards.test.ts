import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { recordings } from '../support/alert-rules.ts';
import { dashboards, queries } from '../support/dashboards.ts';
import { readDocument, tableRows } from '../support/markdown.ts';

/** A running broker is held against these tables: test/docs/metrics.test.ts. */
const metrics = new Map(
  tableRows(readDocument('metrics.md'), '| metric | type | labels | meaning |').map(
    ([name = '', type = '', labels = '']) => [
      name.replaceAll('`', ''),
      { type, labels: [...labels.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '') },
    ],
  ),
);

/** What scraping adds: k8s/components/pod-monitor. */
const ofTargets = ['namespace', 'pod'];

interface Selected {
  readonly series: string;
  readonly labels: readonly string[];
}

/** Every series that an expression names, with the labels it is matched by. */
function selectedIn(expr: string): readonly Selected[] {
  const selectors = expr.matchAll(/\b((?:namespace:)?tokenbroker_[\w:]+)(?:\{([^}]*)\})?/g);
  return [...selectors].map(([, series = '', matchers = '']) => ({
    series,
    labels: [...matchers.matchAll(/(\w+)\s*(?:=|!)/g)].map((match) => match[1] ?? ''),
  }));
}

/** Those by which an expression sums up, and those that its legend shows. */
function keptLabels(expr: string, legend: string): readonly string[] {
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, names = '']) =>
    names.split(/,\s*/),
  );
  return [...grouped, ...[...legend.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1] ?? '')];
}

function metricOf(series: string) {
  const histogram = series.replace(/_(?:bucket|sum|count)$/, '');
  return metrics.get(metrics.get(histogram)?.type === 'histogram' ? histogram : series);
}

describe('dashboards', () => {
  it('are three, each with panels that say what they show', () => {
    expect(dashboards.map(({ uid }) => uid).sort()).toEqual([
      'token-broker-dependencies',
      'token-broker-overview',
      'token-broker-policy',
    ]);
    for (const { panels, templating } of dashboards) {
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
      expect(templating.list.map(({ name }) => name)).toEqual(['datasource', 'namespace']);
      for (const panel of panels.filter(({ type }) => type !== 'row')) {
        expect(panel).toMatchObject({
          type: 'timeseries',
          description: expect.stringMatching(/\.$/),
          datasource: { type: 'prometheus', uid: '$' + '{datasource}' },
          fieldConfig: { defaults: { unit: expect.stringMatching(/./) } },
          targets: expect.arrayContaining([expect.anything()]),
        });
      }
    }
  });

  it.each(dashboards)(
    '$file has a picture of each of its panels in docs/metrics.md',
    (dashboard) => {
      // If not: npm run dashboards
      const name = `images/dashboard-${dashboard.file.replace('.json', '.svg')}`;
      expect(readDocument('metrics.md')).toContain(`](${name})`);
      const picture = readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
      expect(picture.length).toBeLessThan(100_000);
      const missing = dashboard.panels.filter(({ title }) => !picture.includes(`>${title}`));
      expect(missing).toEqual([]);
    },
  );

  it.each(queries)('$file: $title asks for series and labels that there are', (query) => {
    const { expr, legendFormat } = query;
    const selected = selectedIn(expr);
    expect(selected.length).toBeGreaterThan(0);
    const known = new Set(['le', ...ofTargets]);
    for (const { series, labels } of selected) {
      const recorded = recordings.some(({ record }) => record === series);
      const metric = metricOf(series);
      expect([series, recorded || metric !== undefined]).toEqual([series, true]);
      for (const label of metric?.labels ?? []) known.add(label);
      expect(labels).toContain('namespace');
      expect(labels.filter((label) => !known.has(label))).toEqual([]);
    }
    expect(keptLabels(expr, legendFormat).filter((label) => !known.has(label))).toEqual([]);
  });

  it('take rates of what only rises, and quantiles of buckets', () => {
    for (const { expr } of queries) {
      for (const [, called, series = ''] of expr.matchAll(
        /\b(rate|increase)\((tokenbroker_\w+)/g,
      )) {
        const type = metricOf(series)?.type;
        expect([called, series, type === 'counter' || type === 'histogram']).toEqual([
          called,
          series,
          true,
        ]);
      }
      expect(/_bucket\b/.test(expr)).toBe(expr.startsWith('histogram_quantile('));
    }
  });
});
