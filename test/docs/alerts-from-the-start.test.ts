/** The counters that alerts name, on the metrics page of a broker that nobody has asked for anything yet. */

import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { auditFailureReasons } from '../../src/audit/audit-sink.ts';
import { policyAlarms } from '../../src/dynamodb/policy-sync-observer.ts';
import { tlsFaults } from '../../src/http/tls-files.ts';
import { alerts, spelledOut } from '../support/alert-rules.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { selfSigned } from '../support/self-signed.ts';

interface Selector {
  readonly metric: string;
  readonly matchers: readonly (readonly [label: string, operator: string, value: string])[];
}

/** One for each alternative of a regular expression: all of them are waited for. */
function selectorsOf(expr: string): readonly Selector[] {
  return [...expr.matchAll(/(tokenbroker_\w+(?:_total|_count|_bucket))(?:\{([^}]*)\})?/g)].flatMap(
    ([, metric = '', matchers = '']) => {
      const all = [...matchers.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].map(
        ([, label = '', operator = '', value = '']) => [label, operator, value] as const,
      );
      const alternatives = all.find(([, operator]) => operator === '=~');
      if (alternatives === undefined) return [{ metric, matchers: all }];
      return alternatives[2].split('|').map((value) => ({
        metric,
        matchers: [
          ...all.filter((matcher) => matcher !== alternatives),
          [alternatives[0], '=~', value] as const,
        ],
      }));
    },
  );
}

function isMatched(series: string, { metric, matchers }: Selector): boolean {
  const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(series) ?? [];
  const values = new Map(
    [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', value = '']) => [label, value]),
  );
  return (
    name === metric &&
    matchers.every(([label, operator, value]) => {
      const matches = operator.endsWith('~')
        ? new RegExp(`^(?:${value})$`).test(values.get(label) ?? '')
        : values.get(label) === value;
      return operator.startsWith('!') ? !matches : matches;
    })
  );
}

let broker: BrokerFixture;
let page: ReadonlyMap<string, number>;
beforeAll(async () => {
  broker = await startBrokerFixture({
    configure(config) {
      const { cert, key } = selfSigned('broker');
      const tls = {
        certFile: `${config.audit.directory}.crt`,
        keyFile: `${config.audit.directory}.key`,
      };
      writeFileSync(tls.certFile, cert);
      writeFileSync(tls.keyFile, key);
      return { ...config, listeners: { ...config.listeners, api: { port: 0, tls } } };
    },
  });
  page = await broker.metrics();
});
afterAll(() => broker.stop());

describe('a broker that has just started', () => {
  const all = alerts.map(({ alert, expr }) => ({ alert, expr: spelledOut(expr) }));
  // Those of the watcher are held against its own page: test/cloudtrail/watch.test.ts.
  const named = all.filter(
    ({ expr }) => selectorsOf(expr).length > 0 && !expr.includes('tokenbroker_cloudtrail_'),
  );

  it.each(named)('$alert: has on its page every counter that the alert names (T83)', ({ expr }) => {
    const missing = selectorsOf(expr).filter(
      (selector) => ![...page.keys()].some((series) => isMatched(series, selector)),
    );
    expect(missing).toEqual([]);
  });

  it('has every kind of trouble there is, at zero (T83)', () => {
    const series = [
      ...policyAlarms.map((kind) => `policy_alarms_total{kind="${kind}"}`),
      ...auditFailureReasons.map((it) => `audit_records_total{sink="file",result="${it}"}`),
      ...tlsFaults.map((fault) => `tls_refused_files_total{listener="api",fault="${fault}"}`),
    ];
    const values = series.map((name) => [name, page.get(`tokenbroker_${name}`)]);
    expect(values).toEqual(series.map((name) => [name, 0]));
  });
});
