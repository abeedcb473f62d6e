/** The role-mapping table is away, slow, incomplete, emptied, spoilt, or edited. */

import type { Lab } from '../lab.ts';
import { type LoadAnswer, pause } from '../load.ts';
import { failures, percentile, seconds, slowest, tally } from '../measures.ts';
import type { Outcome, Row, RowContext } from '../row.ts';
import { mappingOf, roleNamed, writeMapping } from '../world.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;

export const tableRows: readonly Row[] = [
  {
    id: 'table-down',
    fault: 'DynamoDB goes away while the broker runs',
    promise: 'The last good policy serves everybody for four hours, then nobody.',
    demanded: '0 errors until 4 h, warm and cold; 503 `policy_stale` afterwards',
    operators:
      'Callers notice nothing for `policy.maxAgeSeconds` (4 h). `tokenbroker_policy_age_seconds` grows; alert on it. Edits have no effect until the table is back.',
    run: down,
  },
  {
    id: 'table-down-start',
    fault: 'DynamoDB is away when the broker starts',
    promise:
      'It starts from the snapshot of the last run; without one it lives, is not ready, and tries on.',
    demanded:
      'with a snapshot: ready within 2 s; without: /livez 200, /readyz 503, nothing issued, ready within 10 s after',
    operators:
      'Keep `policy.snapshotFile` on a disk that outlives the process. Without it, a broker that starts during an outage waits for its end.',
    run: downAtStart,
  },
  {
    id: 'table-slow',
    fault: 'DynamoDB answers 10 s late',
    promise: 'The table is read in the background: requests do not notice.',
    demanded: 'warm and cold: 0 errors, p99 at most 1.05 times that without',
    operators: 'As when the table is away.',
    shortfall:
      'on a machine that others use too, the p99 of two slices differs by more than a twentieth without any fault: the notes have those ratios beside the measured ones.',
    run: slow,
  },
  {
    id: 'table-partial',
    fault:
      'a read of the table is incomplete: rows are left out of its pages, or pages are cut short',
    promise: 'What is not complete is not applied.',
    demanded: '0 mappings vanish; 0 errors',
    operators:
      '`tokenbroker_policy_alarms_total{kind="incomplete_read"}` rises; see [table.md](table.md).',
    run: partial,
  },
  {
    id: 'table-shrunk',
    fault: 'the table is emptied, or loses 90 % of its rows, behind the back of the broker',
    promise: 'The last good policy is held, and an alarm raised.',
    demanded: '0 errors; alarm `shrunk`',
    operators:
      '`tokenbroker_policy_alarms_total{kind="shrunk"}` rises. Restore the table, or confirm the loss with `policy.acceptShrink`; see [table.md](table.md).',
    run: shrunk,
  },
  {
    id: 'table-written-around',
    fault:
      'somebody with write access adds a row that grants, and deletes a freeze, while the revision stays',
    promise: 'What the change log does not explain changes nothing, and an alarm is raised.',
    demanded:
      '0 grants by the ghost row, 0 to the frozen caller, 0 errors; alarm `unexplained_rows`',
    operators:
      '`tokenbroker_policy_alarm_active{kind="unexplained_rows"}` is 1 and the log names the rows. Callers notice nothing; see [operations.md](operations.md#tokenbrokertabletampered).',
    run: writtenAround,
  },
  {
    id: 'table-poison',
    fault: 'rows that cannot be read: not JSON, not a mapping, 300 KB, nested a thousand deep',
    promise: 'Each is put aside; all others serve.',
    demanded: 'every bad row in quarantine, 0 errors for the others, /readyz 200',
    operators:
      '`tokenbroker_policy_quarantined_mappings` says how many. A row that may deny something, as far as it can be read, denies its principal everything until it is put right; see [table.md](table.md).',
    run: poison,
  },
  {
    id: 'edit',
    fault: 'a mapping is granted and taken away again, under load',
    promise: 'The edit counts within five seconds.',
    demanded: 'effect within 5 s, both ways; 0 grants after that',
    operators: '`tokenbroker_policy_lag_seconds` shows it.',
    run: edits,
  },
];

async function served(lab: Lab, count = 20): Promise<readonly LoadAnswer[]> {
  const make = (index: number) => (index % 2 === 0 ? lab.warm(index) : lab.cold());
  return await lab.load({ connections: 5, limit: count, make }).ended;
}

async function down({ lab: newLab, pick }: RowContext): Promise<Outcome> {
  const lab = await newLab();
  await lab.world.fronts.dynamodb.setFault({ kind: 'refuse' });
  const answers: LoadAnswer[] = [];
  const stepMs = pick(hourMs, 10 * minuteMs);
  const lastMs = 4 * hourMs - 2 * minuteMs;
  let travelled = 0;
  while (travelled < lastMs) {
    const ms = Math.min(stepMs, lastMs - travelled);
    await lab.travel(ms);
    travelled += ms;
    answers.push(...(await served(lab, pick(10, 200))));
  }
  await lab.travel(3 * minuteMs);
  const late = await served(lab, 10);
  const stale = late.filter(({ code }) => code === 'policy_stale').length;
  const ready = await lab.broker.probe('/readyz');
  await lab.world.fronts.dynamodb.setFault();
  const recoveryMs = await lab.recovery();
  return {
    seen: `${failures(answers).length} errors of ${answers.length} until 3 h 58 min; then ${stale} of ${late.length} refused, /readyz ${ready}; back after ${seconds(recoveryMs)}`,
    met: failures(answers).length === 0 && stale === late.length && ready === 503,
    notes: 'the clocks of all processes are moved on together',
  };
}

async function downAtStart({ lab: newLab, atMost }: RowContext): Promise<Outcome> {
  const lab = await newLab();
  const { dynamodb } = lab.world.fronts;
  await lab.end(lab.broker, 'SIGTERM');
  await dynamodb.setFault({ kind: 'refuse' });
  const startedAt = performance.now();
  const second = await lab.startBroker();
  while ((await second.probe('/readyz')) !== 200) await pause(10);
  const readyMs = performance.now() - startedAt;
  const answers = await served(lab);
  await lab.end(second, 'SIGTERM');

  const third = await lab.startBroker('-new');
  const probes = [await third.probe('/livez'), await third.probe('/readyz')];
  const refused = await lab.ask(lab.cold());
  await dynamodb.setFault();
  const recoveryMs = await lab.recovery();
  return {
    seen: `with a snapshot: ready after ${seconds(readyMs)}, ${failures(answers).length} errors; without: /livez ${probes[0]}, /readyz ${probes[1]}, ${refused.status} ${refused.code}, ready ${seconds(recoveryMs)} after the table is back`,
    met:
      atMost(readyMs, 2_000) &&
      failures(answers).length === 0 &&
      probes.join() === '200,503' &&
      refused.code === 'policy_unavailable',
    notes: 'the time to get ready begins with the start of the process',
  };
}

async function slow({ lab: newLab, long, pick }: RowContext): Promise<Outcome> {
  const lab = await newLab();
  const slice = async (kind: 'warm' | 'cold') => {
    const load =
      kind === 'warm'
        ? lab.load({ connections: 10, perSecond: 500, make: (index) => lab.warm(index) })
        : lab.load({ connections: 5, perSecond: 50, make: () => lab.cold() });
    await pause(pick(300, 5_000));
    return await load.stop();
  };
  const { dynamodb } = lab.world.fronts;
  const ratios = { warm: [] as number[], cold: [] as number[], none: [] as number[] };
  let errors = 0;
  for (let round = 0; round < pick(1, 5); round += 1) {
    for (const kind of ['warm', 'cold'] as const) {
      const first = await slice(kind);
      const second = await slice(kind);
      await dynamodb.setFault({ kind: 'delay', ms: 10_000 });
      const during = await slice(kind);
      await dynamodb.setFault();
      ratios[kind].push(percentile(during, 0.99) / percentile(second, 0.99));
      ratios.none.push(percentile(second, 0.99) / percentile(first, 0.99));
      errors += failures([...first, ...second, ...during]).length;
    }
  }
  const recoveryMs = await lab.recovery();
  const [warm, cold] = [median(ratios.warm), median(ratios.cold)];
  return {
    seen: `${errors} errors; p99 warm ${warm.toFixed(2)} times, cold ${cold.toFixed(2)} times; back after ${seconds(recoveryMs)}`,
    met: errors === 0 && (!long || (warm <= 1.05 && cold <= 1.05)),
    notes: `medians of slices of 5 s; the slices: warm ${list(ratios.warm)}, cold ${list(ratios.cold)}; two slices without the fault: ${list(ratios.none)}`,
  };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function list(values: readonly number[]): string {
  return values.map((value) => value.toFixed(2)).join(' ');
}

/** Makes brokers read everything: there is an edit that does not follow on from the one before. */
async function bump(lab: Lab, mappings: number): Promise<void> {
  const { table } = lab.world;
  // The row itself where it is still there: a fault may be on for queries.
  const latest =
    (await table.get('other-11')) ?? (await table.versions('other-11', { limit: 1 }))[0];
  const version = 10 * ((await table.head()) + 1);
  await editRow(lab, { id: 'other-11', text: JSON.stringify(latest?.document), version, mappings });
}

interface RawEdit {
  readonly id: string;
  /** Of the mapping, whatever it says. */
  readonly text: string;
  readonly version: number;
  /** Rows that there are afterwards. */
  readonly mappings: number;
}

/** All four items of an edit, as another release might write them. */
export async function editRow(lab: Lab, { id, text, version, mappings }: RawEdit): Promise<void> {
  const revision = (await lab.world.table.head()) + 1;
  const mapping = { S: text };
  const facts = {
    version: { N: String(version) },
    revision: { N: String(revision) },
    action: { S: version === 1 ? 'create' : 'replace' },
  };
  const padded = (value: number, digits: number) => String(value).padStart(digits, '0');
  const { world } = lab;
  await world.putRow(`MAPPING#${id}`, `V#${padded(version, 10)}`, { ...facts, mapping });
  await world.putRow(`MAPPING#${id}`, 'CURRENT', { ...facts, mapping });
  const change = { ...facts, id: { S: id }, after: mapping };
  await world.putRow(`CHANGES#${padded(0, 15)}`, padded(revision, 15), change);
  await putHead(lab, revision, mappings);
}

export async function putHead(lab: Lab, revision: number, mappings: number): Promise<void> {
  await lab.world.putRow('HEAD', 'HEAD', {
    revision: { N: String(revision) },
    mappings: { N: String(mappings) },
  });
}

async function alarms(lab: Lab, kind: string): Promise<number> {
  return await lab.broker.metric(`tokenbroker_policy_alarms_total{kind="${kind}"}`);
}

export const labMappings = [
  'orders',
  'reports',
  'crowd',
  ...Array.from({ length: 12 }, (_, at) => `other-${at}`),
];

async function partial({ lab: newLab }: RowContext): Promise<Outcome> {
  const lab = await newLab();
  const seen: string[] = [];
  let met = true;
  for (const kind of ['shrinkScan', 'truncatePage'] as const) {
    const operations = ['Scan', 'Query'];
    const alarm = await alarms(lab, 'incomplete_read');
    const failedBefore = await failedPolls(lab);
    lab.world.dynamodb.setFault(
      kind === 'shrinkScan' ? { kind, operations, dropFraction: 0.1 } : { kind, operations },
    );
    await bump(lab, labMappings.length);
    const noticed = await soon(async () =>
      kind === 'shrinkScan'
        ? (await alarms(lab, 'incomplete_read')) > alarm
        : (await failedPolls(lab)) > failedBefore,
    );
    const held = await lab.broker.metric('tokenbroker_policy_mappings');
    const answers = await served(lab);
    lab.world.dynamodb.setFault();
    await reloaded(lab);
    const errors = failures(answers).length;
    const what = kind === 'shrinkScan' ? 'rows left out' : 'pages cut short';
    seen.push(
      `${what}: ${held} of ${labMappings.length} in force, ${errors} errors, ${noticed ? 'noticed' : 'NOT NOTICED'}`,
    );
    met &&= noticed && held === labMappings.length && errors === 0;
  }
  const recoveryMs = await lab.recovery();
  return { seen: `${seen.join('; ')}; back after ${seconds(recoveryMs)}`, met };
}

async function failedPolls(lab: Lab): Promise<number> {
  return await lab.broker.metric('tokenbroker_policy_poll_duration_seconds_count{result="failed"}');
}

export async function soon(condition: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 300; tries += 1) {
    if (await condition()) return true;
    await pause(50);
  }
  return false;
}

/** Until the broker has the table's revision in force. */
async function reloaded(lab: Lab): Promise<void> {
  const revision = await lab.world.table.head();
  await soon(async () => (await lab.broker.metric('tokenbroker_policy_revision')) === revision);
}

async function shrunk({ lab: newLab, pick }: RowContext): Promise<Outcome> {
  const seen: string[] = [];
  let met = true;
  const lab = await newLab();
  for (const left of pick([1], [0, 1])) {
    const before = await alarms(lab, 'shrunk');
    const gone = labMappings.slice(left);
    const rows = await lab.world.rowsOf(gone);
    for (const id of gone) await lab.world.removeRow(`MAPPING#${id}`, 'CURRENT');
    await bump(lab, left);
    const raised = await soon(async () => (await alarms(lab, 'shrunk')) > before);
    const held = await lab.broker.metric('tokenbroker_policy_mappings');
    const answers = await served(lab, 100);
    const errors = failures(answers).length;
    seen.push(
      `${left} of ${labMappings.length} rows left: ${held} in force, ${errors} errors of ${answers.length}, ${raised ? 'alarm raised' : 'NO ALARM'}`,
    );
    met &&= raised && held === labMappings.length && errors === 0;
    await rows.putBack();
    await bump(lab, labMappings.length);
    await reloaded(lab);
  }
  const recoveryMs = await lab.recovery();
  return { seen: `${seen.join('; ')}; back after ${seconds(recoveryMs)}`, met };
}

async function writtenAround({ lab: newLab, pick }: RowContext): Promise<Outcome> {
  const lab = await newLab({});
  const { world } = lab;
  const freeze = { ...mappingOf('freeze-reports', 'reports'), effect: 'deny' as const, role: '*' };
  const frozen = { ...world.service('reports'), role: roleNamed('reports') };
  const ghost = { ...world.service('stranger'), role: roleNamed('ghost') };
  const { session: _none, ...deny } = freeze;
  await writeMapping(world.table, deny);
  await soon(async () => (await lab.ask({ caller: frozen })).status === 403);

  await world.removeRow('MAPPING#freeze-reports', 'CURRENT');
  await world.putRow('MAPPING#ghost', 'CURRENT', {
    version: { N: '1' },
    mapping: { S: JSON.stringify(mappingOf('ghost', 'stranger')) },
  });
  await bump(lab, labMappings.length + 1);
  const active = 'tokenbroker_policy_alarm_active{kind="unexplained_rows"}';
  const raised = await soon(async () => (await lab.broker.metric(active)) === 1);
  let granted = 0;
  for (let tries = 0; tries < pick(10, 200); tries += 1) {
    for (const caller of [frozen, ghost]) {
      granted += (await lab.ask({ caller })).status === 200 ? 1 : 0;
    }
  }
  const answers = await lab.load({
    connections: 5,
    limit: pick(20, 500),
    make: () => ({ caller: { ...world.service('orders'), role: roleNamed('orders') } }),
  }).ended;
  const errors = failures(answers).length;
  return {
    seen: `${raised ? 'alarm raised' : 'NO ALARM'}; ${granted} grants by the ghost row or to the frozen caller; ${errors} errors of ${answers.length}`,
    met: raised && granted === 0 && errors === 0,
  };
}

async function poison({ lab: newLab }: RowContext): Promise<Outcome> {
  const lab = await newLab({});
  const texts = [
    '{"id":',
    '[]',
    'null',
    JSON.stringify({ ...mappingOf('poison-3', 'stranger'), role: 'arn:aws:iam::*:role/*' }),
    JSON.stringify({
      ...mappingOf('poison-4', 'stranger'),
      session: { policy: { Statement: '{' } },
    }),
    `"${'x'.repeat(300_000)}"`,
    `${'['.repeat(1_000)}${']'.repeat(1_000)}`,
    JSON.stringify({ ...mappingOf('poison-7', 'stranger'), __proto__: null, effect: 'perhaps' }),
  ];
  const bad = texts.length;
  const load = lab.load({ connections: 5, perSecond: 300, make: (index) => lab.warm(index) });
  for (const [index, text] of texts.entries()) {
    const mappings = labMappings.length + index + 1;
    await editRow(lab, { id: `poison-${index}`, text, version: 1, mappings });
  }
  const inQuarantine = () => lab.broker.metric('tokenbroker_policy_quarantined_mappings');
  await soon(async () => (await inQuarantine()) >= bad);
  const quarantined = await inQuarantine();
  const answers = [...(await load.stop()), ...(await served(lab))];
  const ready = await lab.broker.probe('/readyz');
  return {
    seen: `${quarantined} of ${bad} in quarantine; ${failures(answers).length} errors of ${answers.length}, slowest ${slowest(answers).toFixed(0)} ms; /readyz ${ready}`,
    met: quarantined === bad && failures(answers).length === 0 && ready === 200,
  };
}

async function edits({ lab: newLab, pick, atMost }: RowContext): Promise<Outcome> {
  const lab = await newLab();
  const caller = { ...lab.world.service('stranger'), role: roleNamed('late') };
  const load = lab.load({ connections: 10, perSecond: 300, make: (index) => lab.warm(index) });
  const granted: number[] = [];
  const withdrawn: number[] = [];
  let late = 0;
  const until = async (status: number) => {
    const startedAt = performance.now();
    const tookMs = () => performance.now() - startedAt;
    while ((await lab.ask({ caller })).status !== status && tookMs() < 30_000) await pause(5);
    return tookMs();
  };
  for (let round = 0; round < pick(1, 15); round += 1) {
    await writeMapping(lab.world.table, { ...mappingOf('late', 'stranger'), enabled: true });
    granted.push(await until(200));
    await writeMapping(lab.world.table, { ...mappingOf('late', 'stranger'), enabled: false });
    withdrawn.push(await until(403));
    for (let again = 0; again < 20; again += 1)
      late += (await lab.ask({ caller })).status === 200 ? 1 : 0;
  }
  const answers = await load.stop();
  const [grant, withdrawal] = [Math.max(...granted), Math.max(...withdrawn)];
  return {
    seen: `granted within ${seconds(grant)}, taken away within ${seconds(withdrawal)}, ${late} grants afterwards; ${tally(answers)}`,
    met:
      atMost(grant, 5_000) &&
      atMost(withdrawal, 5_000) &&
      late === 0 &&
      failures(answers).length === 0,
    notes: `${granted.length} edits each way`,
  };
}
