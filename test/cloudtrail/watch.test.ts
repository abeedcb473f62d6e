/** What a watcher of a folder says, and when. */

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type CloudTrailWatchOptions, cloudTrailWatch } from '../../src/cli/cloudtrail-watch.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { alerts } from '../support/alert-rules.ts';
import { readDocument, tableRows } from '../support/markdown.ts';
import { event, trailFile } from './trail-fixture.ts';
import {
  deliver,
  findings,
  minute,
  noon,
  place,
  record,
  stopWatchers,
  warnings,
  watch,
} from './watcher-fixture.ts';

afterEach(stopWatchers);

describe('cloudtrail watch', () => {
  it('T274: says nothing of honest sessions, however late the trail or the logs are, and finds a bypass once', async () => {
    const where = place();
    await record(where.audit, 'A', noon - 60 * minute);
    deliver(where.trail, event('A', noon - 60 * minute));
    const watcher = await watch(where);
    expect(await watcher.series(findings('bypass'))).toBe(0);
    // Delivered before the broker's record is in the logs that are read, and hours after it was.
    deliver(where.trail, event('B', noon));
    await watcher.look();
    expect(await watcher.series('tokenbroker_cloudtrail_waiting_sessions')).toBe(1);
    await record(where.audit, 'B', noon);
    await record(where.audit, 'C', noon + minute);
    await watcher.look(4 * 60 * minute);
    deliver(where.trail, event('C', noon + minute), event('C', noon + minute));
    await watcher.look();
    expect(watcher.out()).toBe('');
    expect(await watcher.series('tokenbroker_cloudtrail_waiting_sessions')).toBe(0);

    deliver(where.trail, event('X', noon + 5 * minute));
    deliver(where.trail, event('X', noon + 5 * minute));
    await watcher.look();
    deliver(where.trail, event('X', noon + 5 * minute));
    await watcher.look();
    expect(watcher.out().trim().split('\n')).toHaveLength(1);
    expect(JSON.parse(watcher.out())).toMatchObject({ class: 'bypass', accessKeyId: 'ASIAX' });
    expect(await watcher.series(findings('bypass'))).toBe(1);
    const inRegion = '{account="123456789012",region="us-east-1"}';
    expect(
      await watcher.series(`tokenbroker_cloudtrail_newest_event_timestamp_seconds${inRegion}`),
    ).toBe((noon + 5 * minute) / 1000);
  });

  it('T274: keeps what waits, and what was found, over a restart', async () => {
    const where = place();
    await record(where.audit, 'A', noon - 60 * minute);
    deliver(where.trail, event('X', noon - 30 * minute), event('Y', noon));
    const before = await watch(where);
    expect(await before.series(findings('bypass'))).toBe(1);
    expect(await before.stop()).toBe(0);
    const after = await watch(where);
    expect(await after.series(findings('bypass'))).toBe(1);
    await after.look(6 * minute);
    expect(JSON.parse(after.out())).toMatchObject({ class: 'bypass', accessKeyId: 'ASIAY' });
    expect(await after.series(findings('bypass'))).toBe(2);
  });

  it('reads again what could not be read, and what has grown', async () => {
    const where = place();
    await record(where.audit, 'A', noon - 60 * minute);
    const whole = trailFile(event('X', noon - 30 * minute));
    const [half, lines] = ['half.json.gz', 'lines.jsonl'].map((name) =>
      path.join(where.trail, name),
    );
    writeFileSync(half ?? '', whole.subarray(0, 30));
    writeFileSync(lines ?? '', '{}\n');
    const watcher = await watch(where);
    expect(await watcher.series('tokenbroker_cloudtrail_unreadable_total')).toBe(1);
    writeFileSync(half ?? '', whole);
    writeFileSync(lines ?? '', `{}\n${JSON.stringify(event('Y', noon - 20 * minute))}\n`);
    await watcher.look();
    expect(await watcher.series(findings('bypass'))).toBe(2);
  });

  it('T274: gives no verdict by a log that was changed, and goes on once it is back', async () => {
    const where = place();
    await record(where.audit, 'A', noon - 60 * minute);
    deliver(where.trail, event('X', noon - 30 * minute));
    const file = path.join(where.audit, 'audit.jsonl');
    const honest = readFileSync(file);
    writeFileSync(file, honest.toString().replace('ASIAA', 'ASIAX'));
    const watcher = await watch(where);
    expect(await watcher.series(findings('bypass'))).toBe(0);
    expect(
      await watcher.series('tokenbroker_cloudtrail_failed_looks_total{reason="audit_log"}'),
    ).toBe(1);
    writeFileSync(file, honest);
    await watcher.look();
    expect(await watcher.series(findings('bypass'))).toBe(1);
    rmSync(where.trail, { recursive: true });
    await watcher.look();
    expect(await watcher.series('tokenbroker_cloudtrail_failed_looks_total{reason="trail"}')).toBe(
      1,
    );
  });

  it('T274: loses no difference whose record is gone before it is told, and looks again', async () => {
    const where = place();
    await record(where.audit, 'A', noon - 60 * minute);
    const altered = event('A', noon - 60 * minute, { requestID: 'another' });
    // What is told of the second line comes between the two times that the logs are read.
    writeFileSync(path.join(where.trail, '1.jsonl'), `${JSON.stringify(altered)}\nno event\n`);
    const [log, archived] = ['audit', '.'].map((folder) =>
      path.join(where.audit, '..', folder, 'audit.jsonl'),
    );
    let isArchived = false;
    const write = (line: string) => {
      if (isArchived || !line.includes('cannot be read')) return;
      renameSync(log ?? '', archived ?? '');
      isArchived = true;
    };
    const watcher = await watch(where, {
      logger: createLogger({ level: 'warn', stream: { write } }),
    });
    expect({ isArchived, out: watcher.out() }).toEqual({ isArchived: true, out: '' });
    expect(
      await watcher.series('tokenbroker_cloudtrail_failed_looks_total{reason="audit_log"}'),
    ).toBe(1);
    renameSync(archived ?? '', log ?? '');
    await watcher.look();
    expect(JSON.parse(watcher.out())).toMatchObject({ class: 'altered', accessKeyId: 'ASIAA' });
    expect(await watcher.series(findings('altered'))).toBe(1);
  });

  it('T317: says of a trail with more files than a state can hold what to do, and judges nothing by half of it', async () => {
    const where = place();
    await record(where.audit, 'A', noon - 60 * minute);
    for (const id of ['X', 'Y', 'Z']) deliver(where.trail, event(id, noon - 30 * minute));
    const { said, logger } = warnings();
    const crowded = await watch(where, { mostListed: 2, logger });
    expect(await crowded.series('tokenbroker_cloudtrail_failed_looks_total{reason="trail"}')).toBe(
      1,
    );
    expect({ out: crowded.out(), said: said.join('') }).toEqual({
      out: '',
      said: expect.stringContaining('more than 2 files: follow them by --queue'),
    });
    await crowded.stop();
    const watcher = await watch(where, { mostListed: 3 });
    expect(await watcher.series(findings('bypass'))).toBe(3);
  });

  it('T332: lets nothing wait that the logs never reach, and nothing that says it is of the future', async () => {
    const where = place();
    await record(where.audit, 'A', noon);
    const old = noon - 90 * 24 * 60 * minute;
    deliver(where.trail, event('X', old), event('Y', noon + 365 * 24 * 60 * minute));
    const watcher = await watch(where);
    expect(await watcher.series('tokenbroker_cloudtrail_waiting_sessions')).toBe(0);
    expect(JSON.parse(watcher.out())).toMatchObject({ class: 'bypass', accessKeyId: 'ASIAY' });
    const inRegion = '{account="123456789012",region="us-east-1"}';
    expect(
      await watcher.series(`tokenbroker_cloudtrail_newest_event_timestamp_seconds${inRegion}`),
    ).toBe(old / 1000);
  });

  it('T332: takes no account or Region for one that is none', async () => {
    const where = place();
    await record(where.audit, 'A', noon);
    const odd = ['1', '"}\n', 'a'.repeat(4000)].flatMap((text, index) => [
      event('C', noon, { eventName: `${index}`, recipientAccountId: text }),
      event('C', noon, { eventName: `${index}`, awsRegion: text }),
    ]);
    deliver(where.trail, ...odd);
    const page = await (await watch(where)).page();
    const places = page.match(/^tokenbroker_cloudtrail_newest_event.*\{.*/gm) ?? [];
    expect(places.map((line) => line.replace(/.*\{(.*)\}.*/, '$1')).sort()).toEqual([
      'account="123456789012",region="unknown"',
      'account="unknown",region="us-east-1"',
    ]);
  });

  it('T332: writes no state that it could not read again', async () => {
    const where = place();
    await record(where.audit, 'A', noon - 60 * minute);
    const long = 'x'.repeat(1024 * 1024);
    const deep = JSON.parse(`${'['.repeat(400)}${']'.repeat(400)}`);
    const tags = Array.from({ length: 1000 }, (_, index) => [`key-${index}`, deep]);
    const { requestParameters } = event('X', noon);
    const principalTags = { ...Object.fromEntries(tags), long };
    const changes = { requestParameters: { ...requestParameters, principalTags } };
    deliver(where.trail, event('X', noon, { userAgent: long, requestID: long, ...changes }));
    const watcher = await watch(where);
    expect(await watcher.series('tokenbroker_cloudtrail_waiting_sessions')).toBe(1);
    expect(readFileSync(where.stateFile).length).toBeLessThan(10_000);
    await watcher.stop();
    const after = await watch(where);
    await after.look(10 * minute);
    expect(JSON.parse(after.out())).toMatchObject({ class: 'bypass', accessKeyId: 'ASIAX' });
  });

  it('T338: looks at the mapping files anew each time', async () => {
    const where = place();
    await record(where.audit, 'A', noon - 60 * minute);
    const mappings = path.join(where.audit, '..', 'mappings.yaml');
    const roleArn = 'arn:aws:iam::123456789012:role/broker/never-used';
    deliver(where.trail, event('X', noon - 30 * minute, { requestParameters: { roleArn } }));
    const watcher = await watch(where, { mappings });
    const failed = 'tokenbroker_cloudtrail_failed_looks_total{reason="audit_log"}';
    expect(await watcher.series(failed)).toBe(1);
    writeFileSync(mappings, `id: never-used\nrole: ${roleArn}\n`);
    await watcher.look();
    expect(await watcher.series(findings('bypass'))).toBe(1);
  });

  it('T333: says nothing of a session of a provider that is new, before the logs reach it', async () => {
    const where = place();
    await record(where.audit, 'A', noon - 60 * minute);
    const of = (name: string) => ({ userIdentity: { identityProvider: `provider-${name}` } });
    deliver(where.trail, event('A', noon - 60 * minute, of('old')));
    deliver(where.trail, event('B', noon, of('new')), event('X', noon, of('evil')));
    const watcher = await watch(where);
    expect(watcher.out()).toBe('');
    await record(where.audit, 'B', noon);
    await watcher.look(10 * minute);
    expect(JSON.parse(watcher.out())).toMatchObject({
      class: 'other_provider',
      accessKeyId: 'ASIAX',
    });
  });

  it('T331: is not kept from a bypass by an event with its id, before or after it', async () => {
    const where = place();
    await record(where.audit, 'A', noon - 60 * minute);
    const twin = (time: number) => ({ ...event('Y', time), eventID: 'X' });
    deliver(where.trail, twin(noon - 30 * minute));
    const watcher = await watch(where);
    deliver(where.trail, event('X', noon));
    await watcher.look();
    deliver(where.trail, twin(noon + 30 * minute));
    await watcher.look(10 * minute);
    const found = watcher
      .out()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).accessKeyId);
    expect(found).toEqual(['ASIAY', 'ASIAX']);
  });

  it('starts on no state that it has not written', async () => {
    const where = place();
    writeFileSync(where.stateFile, '{"version":1}', { mode: 0o600 });
    let err = '';
    const code = await cloudTrailWatch({
      ...({
        audit: [where.audit],
        trail: [where.trail],
        stateFile: where.stateFile,
      } as never as CloudTrailWatchOptions),
      buckets: { region: undefined, endpoint: undefined, bucketOwner: undefined },
      clock: where.clock,
      output: {
        out: () => undefined,
        err: (text) => {
          err += text;
        },
      },
    });
    expect({ code, said: err.includes('remove it to begin anew') }).toEqual({
      code: 1,
      said: true,
    });
  });

  it('has from the start every series that an alert names', async () => {
    const where = place();
    await record(where.audit, 'A', noon);
    deliver(where.trail, {});
    const watcher = await watch(where);
    const named = alerts.filter(({ expr }) => expr.includes('tokenbroker_cloudtrail_'));
    expect(named.map(({ alert }) => alert)).toEqual([
      'TokenBrokerBypassed',
      'TokenBrokerTrailUnwatched',
      'TokenBrokerTrailLooksFail',
      'TokenBrokerTrailMessagesRefused',
      'TokenBrokerTrailFilesWithheld',
    ]);
    for (const name of ['bypass', 'other_provider', 'altered', 'unbound', 'thumbprint'])
      expect(await watcher.series(findings(name))).toBe(0);
    expect(await watcher.series('tokenbroker_cloudtrail_unreadable_total')).toBe(0);
    expect(await watcher.series('tokenbroker_cloudtrail_withheld_messages_total')).toBe(0);
  });

  it('has the metrics that docs/metrics.md lists, and no other', async () => {
    const where = place();
    await record(where.audit, 'A', noon);
    deliver(where.trail, event('A', noon));
    const page = await (await watch(where)).page();
    const types = [...page.matchAll(/^# TYPE (\w+) (\w+)$/gm)];
    const header = '| metric of the watcher | type | labels | meaning |';
    const rows = tableRows(readDocument('metrics.md'), header);
    const listed = rows.map(([name = '', type = '']) => `${name.replaceAll('`', '')} ${type}`);
    expect(new Set(listed)).toEqual(new Set(types.map(([, name, type]) => `${name} ${type}`)));
  });
});
