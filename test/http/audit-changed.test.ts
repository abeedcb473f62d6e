import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';

let broker: BrokerFixture;
afterEach(() => broker.stop());

describe('an audit log that is not what was written', () => {
  it('T104: is on the metrics page from the first scrape on, with the number of the last record', async () => {
    broker = await startBrokerFixture({
      configure(config) {
        const directory = String(config.audit.directory);
        mkdirSync(directory, { mode: 0o700 });
        writeFileSync(join(directory, 'audit.jsonl'), 'altered\n', { mode: 0o600 });
        return config;
      },
    });
    const series = 'tokenbroker_audit_chain_breaks_total{kind="tail_altered"}';
    const page = await broker.metrics();
    expect(page.get(series)).toBe(1);
    const before = page.get('tokenbroker_audit_sequence') ?? 0;
    expect((await broker.issue('orders')).status).toBe(200);
    const after = await broker.metrics();
    expect(after.get('tokenbroker_audit_sequence')).toBeGreaterThan(before);
  });
});
