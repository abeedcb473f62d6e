import { mkdirSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { createTestClock } from '../support/test-clock.ts';

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

  it('T158: that was emptied is noticed with the next request, and then served again', async () => {
    broker = await startBrokerFixture();
    const series = 'tokenbroker_audit_chain_breaks_total{kind="file_emptied"}';
    expect((await broker.issue('orders')).status).toBe(200);
    expect((await broker.metrics()).get(series)).toBe(0);
    truncateSync(join(broker.auditDirectory, 'audit.jsonl'));
    const { status, body } = await broker.issue('orders');
    expect([status, body.code]).toEqual([503, 'audit_unavailable']);
    let again = status;
    while (again !== 200) again = (await broker.issue('orders')).status;
    expect((await broker.metrics()).get(series)).toBe(1);
    expect(broker.logs).toContainEqual(
      expect.objectContaining({
        reason: 'file_emptied',
        msg: 'the audit log on disk is not what was written',
      }),
    );
  });

  it('T158: is rotated at the age that the configuration says', async () => {
    const clock = createTestClock();
    broker = await startBrokerFixture({
      clock,
      configure: (config) => ({ ...config, audit: { ...config.audit, rotateAfterSeconds: 60 } }),
    });
    expect((await broker.issue('orders')).status).toBe(200);
    await clock.advance(61_000);
    expect((await broker.issue('orders')).status).toBe(200);
    const names = readdirSync(broker.auditDirectory);
    expect(names.filter((name) => name.endsWith('.jsonl')).sort()).toEqual([
      'audit-000000000001.jsonl',
      'audit.jsonl',
    ]);
  });
});
