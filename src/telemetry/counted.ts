/** What the metrics have counted since the start, for whoever does not scrape them. */

import type { Registry } from 'prom-client';

export type Labels = Readonly<Record<string, string>>;

export interface Counted {
  readonly labels: Labels;
  readonly value: number;
}

/** The series of one metric: of a histogram, how many observations there were. */
export async function countedBy(registry: Registry, name: string): Promise<readonly Counted[]> {
  const { values, type } = (await registry.getSingleMetric(name)?.get()) ?? {
    values: [],
    type: 'counter',
  };
  const counts = String(type) === 'histogram' ? `${name}_count` : undefined;
  return (values as readonly MetricValue[])
    .filter(({ metricName }) => counts === undefined || metricName === counts)
    .map(({ labels, value }) => ({ labels: labels as Labels, value }));
}

interface MetricValue {
  readonly labels: Readonly<Record<string, string | number | undefined>>;
  readonly value: number;
  readonly metricName?: string;
}

/** Added up over all labels but these. */
export function sumBy<Name extends string>(
  counted: readonly Counted[],
  ...names: readonly Name[]
): readonly (Readonly<Record<Name, string>> & { readonly count: number })[] {
  const sums = new Map<string, Record<Name, string> & { count: number }>();
  for (const { labels, value } of counted) {
    if (value === 0) continue;
    const kept = Object.fromEntries(names.map((name) => [name, labels[name] ?? '']));
    const key = JSON.stringify(kept);
    const sum = sums.get(key) ?? { ...(kept as Record<Name, string>), count: 0 };
    sum.count += value;
    sums.set(key, sum);
  }
  return [...sums.values()].sort((a, b) => b.count - a.count);
}
