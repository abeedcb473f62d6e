/** What callers do to each other's sessions, and whether a freeze reaches those that are still being made. */

import { performance } from 'node:perf_hooks';
import { Administrator, adminSection, type FrozenThing } from '../administrator.ts';
import type { Lab } from '../lab.ts';
import { type LoadAnswer, pause } from '../load.ts';
import { failures, seconds, tally } from '../measures.ts';
import type { Outcome, Row, RowContext } from '../row.ts';
import type { Ask } from '../wire-forms.ts';
import { type FormName, formNames } from '../wire-forms.ts';
import { mappingOf, pool, roleNamed, writeMapping } from '../world.ts';

export const sessionRows: readonly Row[] = [
  {
    id: 'freeze-under-way',
    fault: 'a freeze comes while exchanges are under way in all three wire forms, and STS is slow',
    promise: 'What was decided before the freeze is not answered after it.',
    demanded:
      '0 sessions answered after the freeze was acknowledged, with exchanges of every form under way; served again once it is lifted',
    operators:
      'Nothing. Requests that were under way are refused, and those whose session had been made leave two records: the first says what STS made, the second that nobody got it.',
    run: frozenUnderWay,
  },
  {
    id: 'cache-hog',
    fault:
      'one caller asks for as many different sessions as it can think of (durations, policies, names), then STS fails',
    promise: 'It displaces its own sessions and nobody else’s.',
    demanded: '0 of the other callers refused',
    operators:
      '`tokenbroker_credential_cache_events_total{event="surplus"}` rises; the audit log shows who asks. Raise `cache.maxEntriesPerCaller` if it is a service that runs everything under one app client.',
    run: hogged,
  },
];

async function frozenUnderWay({ lab: newLab, pick }: RowContext): Promise<Outcome> {
  const rounds = pick(2, 12);
  const lab = await newLab({
    // Whoever asks in the container form has no duration to vary.
    users: 400,
    stsLatencyMs: pick(400, 1_500),
    config: (world) => ({ admin: adminSection(world) }),
  });
  const administrator = new Administrator(lab.world, () => lab.broker.urls.admin);
  const late: LoadAnswer[] = [];
  const underWay: Record<FormName, number> = { rest: 0, container: 0, sts: 0 };
  let slowestMs = 0;
  for (let round = 0; round < rounds; round += 1) {
    const callsBefore = lab.world.fronts.sts.calls;
    const load = lab.load({
      connections: 30,
      make: (index) => {
        const form = formNames[index % formNames.length] as FormName;
        const { caller, durationSeconds } = lab.cold();
        return form === 'container' ? { caller, form } : { caller, form, durationSeconds };
      },
    });
    while (lab.world.fronts.sts.calls < callsBefore + 12) await pause(5);
    const { id, inForce, sentAt, acknowledgedAt } = await administrator.freeze(target(round));
    if (!inForce) throw new Error('the freeze was not in force when it was acknowledged');
    slowestMs = Math.max(slowestMs, acknowledgedAt - sentAt);
    await pause(pick(600, 2_000));
    const answers = await load.stop();
    const after = answers.filter((answer) => answer.sentAt + answer.ms > acknowledgedAt);
    for (const { ask, sentAt: askedAt } of after) {
      if (ask.form !== undefined && askedAt < acknowledgedAt) underWay[ask.form] += 1;
    }
    late.push(...after);
    await administrator.lift(id);
    await servedAgain(lab);
  }
  const sessions = late.filter(({ status }) => status === 200);
  return {
    seen: `${sessions.length} sessions in ${late.length} answers after ${rounds} freezes; under way when they came: ${formNames.map((form) => `${underWay[form]} ${form}`).join(', ')}; a freeze acknowledged within ${seconds(slowestMs)}`,
    met: sessions.length === 0 && Object.values(underWay).every((count) => count > 0),
    notes: `answers after a freeze: ${tally(late)}`,
  };
}

/** Each covers all users of the app client that ask. */
function target(round: number): FrozenThing {
  const { principal } = mappingOf('crowd', 'crowd');
  const everybody = { pool, any: true } as const;
  const targets: readonly FrozenThing[] = [
    { principal, role: '*' },
    { principal: everybody, role: roleNamed('crowd') },
    { principal: everybody, role: '*' },
  ];
  return targets[round % targets.length] as FrozenThing;
}

async function servedAgain(lab: Lab): Promise<void> {
  const { status, code } = await lab.ask(lab.cold());
  if (status !== 200) throw new Error(`after the freeze was lifted: ${status} ${code}`);
}

async function hogged({ lab: newLab, pick }: RowContext): Promise<Outcome> {
  const others = pick(40, 150);
  const places = pick(200, 2_000);
  const many = places * 1.5;
  const lab = await newLab({
    users: others,
    startBroker: false,
    config: () => ({ cache: { maxEntries: places } }),
  });
  await writeMapping(lab.world.table, {
    ...mappingOf('reports', 'reports'),
    session: { name: '{requested}@{client}', callerPolicy: true, maxDurationSeconds: 43_200 },
  });
  await lab.startBroker();
  const everybody = () =>
    lab.load({ connections: 10, limit: others, make: (index) => askOf(lab, index) }).ended;
  const before = await everybody();
  const hog = lab.world.service('reports');
  const startedAt = performance.now();
  const hogs = await lab.load({
    connections: 20,
    limit: many,
    make: (index) => ({ caller: hog, ...wish(index) }),
  }).ended;
  const tookMs = performance.now() - startedAt;
  await lab.world.fronts.sts.setFault({ kind: 'refuse' });
  const after = await everybody();
  const cold = await lab.ask(lab.cold());
  await lab.world.fronts.sts.setFault();
  const surplus = await lab.broker.metric(
    'tokenbroker_credential_cache_events_total{event="surplus"}',
  );
  // By the account of STS: of some the answer may have been refused.
  const { issued } = lab.world;
  const made = [...issued.values()].filter(({ subject }) => subject === hog.subject).length;
  await lab.recovery();
  return {
    seen: `${failures(after).length} of ${after.length} others refused, after STS made ${made} sessions for one caller, in a cache of ${places}, in ${seconds(tookMs)}; ${surplus} of its own were displaced`,
    met:
      failures(before).length === 0 &&
      failures(after).length === 0 &&
      made > places &&
      // STS was away indeed.
      cold.status === 503,
    notes: `the hog: ${tally(hogs)}; the others: ${tally(after)}`,
  };
}

function askOf(lab: Lab, index: number): Ask {
  return { caller: lab.world.user(index) };
}

/** Something that no session was asked for before: by turns a duration, a policy and a name. */
function wish(index: number): Omit<Ask, 'caller'> {
  const number = Math.floor(index / 3);
  switch (index % 3) {
    case 0:
      return { form: 'rest', durationSeconds: 900 + 60 * (number % 706) };
    case 1:
      return { form: 'sts', policy: policyOf(number) };
    default:
      return { form: 'sts', sessionName: `hog-${number}` };
  }
}

function policyOf(number: number): string {
  const Resource = `arn:aws:s3:::hog/${number}/*`;
  const Statement = [{ Effect: 'Allow', Action: 's3:GetObject', Resource }];
  return JSON.stringify({ Version: '2012-10-17', Statement });
}
