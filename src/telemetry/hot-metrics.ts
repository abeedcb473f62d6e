/**
 * Counters and histograms for the warm path. A prom-client histogram hashes its labels on every observation;
 * these are array increments, and prom-client only reads them when it is scraped.
 */

import type { Metric, Registry } from 'prom-client';

interface MetricValue {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

interface HotMetricOptions<Label extends string> {
  readonly registry: Registry;
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Label[];
}

export interface CounterChild {
  inc(by?: number): void;
}

export interface HistogramChild {
  observe(seconds: number): void;
}

/** Get a child once per label set, at start or on first use, and keep it. Label values must be from closed sets. */
export class HotCounter<Label extends string> {
  readonly #children = new Map<string, { labels: Record<Label, string>; value: number }>();
  readonly #options: HotMetricOptions<Label>;

  constructor(options: HotMetricOptions<Label>) {
    this.#options = options;
    register(options, 'counter', () =>
      [...this.#children.values()].map(({ labels, value }) => ({ labels, value })),
    );
  }

  child(labels: Record<Label, string>): CounterChild {
    const cell = remember(this.#children, this.#options.labels, labels, () => ({
      labels,
      value: 0,
    }));
    return {
      inc(by = 1) {
        cell.value += by;
      },
    };
  }
}

export class HotHistogram<Label extends string> {
  readonly #children = new Map<string, HistogramCell<Label>>();
  readonly #options: HotMetricOptions<Label>;
  readonly #bounds: readonly number[];

  /** `buckets` are upper bounds in seconds, ascending. */
  constructor(options: HotMetricOptions<Label> & { readonly buckets: readonly number[] }) {
    this.#options = options;
    this.#bounds = options.buckets;
    register(options, 'histogram', () =>
      [...this.#children.values()].flatMap((cell) => [
        ...seriesOf(options.name, this.#bounds, cell),
      ]),
    );
  }

  child(labels: Record<Label, string>): HistogramChild {
    const bounds = this.#bounds;
    const cell = remember(this.#children, this.#options.labels, labels, () => ({
      labels,
      counts: new Float64Array(bounds.length + 1),
      sum: 0,
    }));
    return {
      observe(seconds) {
        let bucket = 0;
        while (bucket < bounds.length && seconds > (bounds[bucket] as number)) bucket += 1;
        cell.counts[bucket] = (cell.counts[bucket] as number) + 1;
        cell.sum += seconds;
      },
    };
  }
}

interface HistogramCell<Label extends string> {
  readonly labels: Record<Label, string>;
  /** Observations per bucket, not cumulative; the last one is +Inf. */
  readonly counts: Float64Array;
  sum: number;
}

function remember<Label extends string, Cell>(
  cells: Map<string, Cell>,
  names: readonly Label[],
  labels: Record<Label, string>,
  create: () => Cell,
): Cell {
  const key = names.map((name) => labels[name]).join('\n');
  let cell = cells.get(key);
  if (cell === undefined) {
    cell = create();
    cells.set(key, cell);
  }
  return cell;
}

function* seriesOf<Label extends string>(
  name: string,
  bounds: readonly number[],
  { labels, counts, sum }: HistogramCell<Label>,
): Generator<MetricValue> {
  let cumulative = 0;
  for (const [index, count] of counts.entries()) {
    cumulative += count;
    const le = bounds[index] ?? '+Inf';
    yield { metricName: `${name}_bucket`, labels: { ...labels, le }, value: cumulative };
  }
  yield { metricName: `${name}_sum`, labels, value: sum };
  yield { metricName: `${name}_count`, labels, value: cumulative };
}

function register(
  { registry, name, help }: HotMetricOptions<string>,
  type: 'counter' | 'histogram',
  values: () => Iterable<MetricValue>,
): void {
  // prom-client asks a registered metric for nothing but its name, get() and reset().
  const metric = {
    name,
    get: () => Promise.resolve({ name, help, type, aggregator: 'sum', values: [...values()] }),
    reset: () => undefined,
  };
  registry.registerMetric(metric as unknown as Metric);
}
