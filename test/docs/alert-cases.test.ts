/**
 * What promtool tries of the alerts (test/kubernetes/alerts.yaml), and what brokers do to a real Prometheus (test/alerts),
 * held against the alerts that there are.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { alerts, spelledOut } from '../support/alert-rules.ts';

interface Cases {
  readonly tests: readonly {
    readonly name: string;
    readonly input_series: readonly { readonly series: string }[];
    readonly alert_rule_test: readonly {
      readonly alertname: string;
      readonly exp_alerts: readonly unknown[];
    }[];
  }[];
}

const file = new URL('../kubernetes/alerts.yaml', import.meta.url);
const { tests } = parse(readFileSync(file, 'utf8')) as Cases;

const cases = tests.flatMap(({ input_series, alert_rule_test }) =>
  alert_rule_test.map(({ alertname, exp_alerts }) => ({
    alertname,
    fires: exp_alerts.length > 0,
    metrics: new Set(input_series.map(({ series }) => /^[\w:]+/.exec(series)?.[0] ?? '')),
  })),
);

describe('the cases that promtool tries', () => {
  it.each(alerts)('show $alert both firing and quiet (T192)', ({ alert, expr }) => {
    const named = new Set(spelledOut(expr).match(/\b[a-z][\w:]*/g));
    // Without anything that the alert looks at, every alert is quiet.
    const shown = cases
      .filter(({ alertname }) => alertname === alert)
      .filter(({ fires, metrics }) => fires || [...metrics].some((metric) => named.has(metric)))
      .map(({ fires }) => fires);
    expect(new Set(shown)).toEqual(new Set([true, false]));
  });

  it('are about alerts that there are', () => {
    const known = new Set(alerts.map(({ alert }) => alert));
    expect(cases.filter(({ alertname }) => !known.has(alertname))).toEqual([]);
  });
});

/** Why no broker that is scraped makes it fire in a test. */
const promtoolAlone: Readonly<Record<string, string>> = {
  TokenBrokerInstanceCutOff: 'a table that does not answer for a minute',
  TokenBrokerPolicyOld: 'a table that does not answer for ten minutes',
  TokenBrokerKeysOld: 'an issuer that does not answer for two hours',
  TokenBrokerAuditNotCheckpointed: 'a key that does not sign for ten minutes',
  TokenBrokerAuditNotCopied: 'a bucket that takes nothing for ten minutes',
  TokenBrokerStsEndpointDown:
    'an endpoint that fails is asked once a second, and a minute of that is needed',
  TokenBrokerWarmSlow: 'a machine that is slow when it should be',
  TokenBrokerAuditDiskSlow: 'a disk that is slow when it should be',
  TokenBrokerEventLoopSlow: 'a process that is busy when it should be',
  TokenBrokerFilesRunOut: 'a limit on files that leaves a broker hardly any',
  TokenBrokerRestarts: 'three restarts at one address',
  TokenBrokerTrailLooksFail:
    'three looks that fail; that their series is there is in test/cloudtrail/watch.test.ts',
  TokenBrokerTrailMessagesRefused:
    'a queue that a stranger writes into; test/cloudtrail/watch.test.ts has its series',
  TokenBrokerTrailFilesWithheld:
    'a bucket that keeps a file back for two hours; test/cloudtrail/queue-failures.long.test.ts has its series',
};

describe('a real Prometheus', () => {
  const folder = new URL('../alerts/', import.meta.url);
  const texts = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'));
  const fired = texts.flatMap((text) => text.match(/(?<=')TokenBroker\w+(?=')/g) ?? []);

  it('sees every alert but those with a reason (T192)', () => {
    const accounted = [...fired, ...Object.keys(promtoolAlone)];
    expect(new Set(accounted)).toEqual(new Set(alerts.map(({ alert }) => alert)));
  });
});
