/** STS is away, hangs, limits, lies, refuses. */

import type { FrontFault } from '../front.ts';
import type { Lab } from '../lab.ts';
import { type LoadAnswer, pause } from '../load.ts';
import { failures, percentile, seconds, slowest, tally } from '../measures.ts';
import type { Outcome, Row, RowContext } from '../row.ts';
import { account, region } from '../world.ts';
import { hung } from './sts-hung.ts';
import { lies } from './sts-lies.ts';

const stsCalls = 'tokenbroker_sts_request_duration_seconds_count';

const awayDemanded =
  'warm: 0 errors; cold: 503 within 3 s, 99 % within 300 ms once the circuit is open; at most 1 probe per second';

export const stsRows: readonly Row[] = [
  {
    id: 'sts-down',
    fault: 'STS refuses connections',
    promise:
      'Warm callers notice nothing; new sessions are refused quickly, and STS is hardly asked.',
    demanded: awayDemanded,
    operators:
      'Callers whose session is cached are served until a minute before it ends. Others get 503 `sts_unavailable` with Retry-After. Nothing to do but look at STS, or add a second region to `sts.endpoints`.',
    run: (context) => awayFor(context, { kind: 'refuse' }),
  },
  {
    id: 'sts-reset',
    fault: 'STS cuts every connection',
    promise: 'As when it refuses connections.',
    demanded: awayDemanded,
    operators: 'As when it refuses connections.',
    run: (context) => awayFor(context, { kind: 'reset' }),
  },
  {
    id: 'sts-down-hour',
    fault: 'STS is away for the whole life of the cached sessions',
    promise: 'Sessions of 3,600 s are handed out until 60 s before they end, and not later.',
    demanded: '100 % served with 61 s left; 0 with less than 60 s',
    operators:
      'An outage of STS shorter than the time the cached sessions have left is not noticed by warm callers.',
    run: outlive,
  },
  {
    id: 'sts-hung',
    fault: 'STS takes requests and never answers',
    promise:
      'No caller waits longer than the total time limit, and those who wait slow nobody else.',
    demanded:
      'cold: 503 within 3.2 s; warm p99 with 1,000 hung calls at most 1.2 times that without',
    operators: 'As when STS is down; the first few answers take up to 3 s.',
    shortfall:
      'on a machine that others use too, the p99 of two slices differs by more than a fifth without any fault; the notes have the slices and the medians.',
    run: hung,
  },
  {
    id: 'sts-throttled',
    fault: 'STS answers Throttling',
    promise: 'Retries do not add to the load; warm callers notice nothing.',
    demanded:
      'at most 1.1 calls of STS per request (after the ten retries that may be saved up); warm: 0 errors; cold: 503 with Retry-After',
    operators:
      'Callers get 503 `sts_throttled`. Find out who else uses the quota of the account, or spread roles over accounts.',
    run: throttled,
  },
  {
    id: 'sts-lies',
    fault:
      'STS, or what stands in between, answers 200 with something that is not the session asked for',
    promise: 'No such answer is believed, passed on or cached.',
    demanded: '16 of 16 kinds: 502 `sts_bad_response`; 0 cached',
    operators:
      'Callers get 502 `sts_bad_response`; the log names the defect. Look for a proxy or a captive portal between the broker and STS.',
    run: believed,
  },
  {
    id: 'sts-transient',
    fault:
      "STS says it couldn't retrieve the issuer's verification key (IDPCommunicationError too)",
    promise: 'This is an outage, not a bad token: tried again a little, then 503, never 401.',
    demanded: 'at most 3 calls within 1.5 s, then 503',
    operators:
      'Callers get 503 `sts_unavailable`. STS must reach the JWKS URI of the issuer: look there.',
    run: transient,
  },
  {
    id: 'sts-refused-renewal',
    fault: 'STS refuses to renew a session: AccessDenied, or InvalidIdentityToken for good',
    promise: 'What is left of the old session is dropped at the first refusal.',
    demanded:
      'AccessDenied: 403, InvalidIdentityToken: 401, 1 call each; 0 served from the cache afterwards',
    operators: 'Somebody changed the trust policy of the role, or the OIDC provider in IAM.',
    run: refusedRenewal,
  },
  {
    id: 'sts-second-region',
    fault: 'the first of two regions is lost',
    promise: 'The next one answers.',
    demanded: 'warm: 0 errors; cold: 0 errors, each within 1 s (refused), 99 % within 30 s (hung)',
    operators:
      'Nothing to do. `tokenbroker_sts_request_duration_seconds` by region shows which one answers.',
    run: secondRegion,
  },
];

async function awayFor(
  { lab: newLab, pick, atMost }: RowContext,
  fault: FrontFault,
): Promise<Outcome> {
  const lab = await newLab();
  await lab.world.fronts.sts.setFault(fault);
  const warm = lab.load({ connections: 10, perSecond: 300, make: (index) => lab.warm(index) });
  const before = await coldOnes(lab, 12);
  const callsBefore = await lab.broker.metric(stsCalls);
  const openedAt = performance.now();
  const open = lab.load({ connections: 10, perSecond: 50, make: () => lab.cold() });
  await pause(pick(1_200, 15_000));
  const answers = await open.stop();
  const elapsedSeconds = (performance.now() - openedAt) / 1000;
  const probes = (await lab.broker.metric(stsCalls)) - callsBefore;
  const warmAnswers = await warm.stop();
  await lab.world.fronts.sts.setFault();
  const recoveryMs = await lab.recovery();
  const warmErrors = failures(warmAnswers).length;
  const wrong = [...before, ...answers].filter(({ code }) => code !== 'sts_unavailable').length;
  return {
    seen: `warm: ${warmErrors} errors of ${warmAnswers.length}; cold: 503 within ${seconds(slowest(before))}, with the circuit open within ${percentile(answers, 0.99).toFixed(0)} ms (99 %; slowest ${slowest(answers).toFixed(0)} ms); ${(probes / elapsedSeconds).toFixed(2)} probes per second; back after ${seconds(recoveryMs)}`,
    met:
      warmErrors === 0 &&
      wrong === 0 &&
      atMost(slowest(before), 3_000) &&
      atMost(percentile(answers, 0.99), 300) &&
      // One may be under way at either end.
      probes <= elapsedSeconds + 1,
    notes: wrong > 0 ? tally([...before, ...answers]) : '',
  };
}

/** One after the other. */
async function coldOnes(lab: Lab, count: number): Promise<readonly LoadAnswer[]> {
  const answers: LoadAnswer[] = [];
  for (let index = 0; index < count; index += 1) answers.push(await lab.ask(lab.cold()));
  return answers;
}

const minuteMs = 60_000;

async function outlive({ lab: newLab, pick }: RowContext): Promise<Outcome> {
  const lab = await newLab();
  const callers = [0, 1, 2, 3, 4];
  // Nobody's session is older than this row.
  await lab.travel(60 * minuteMs);
  const first = await Promise.all(callers.map((index) => lab.ask(lab.warm(index))));
  const endsAt = Math.min(...first.map(({ expiresAt }) => expiresAt ?? 0));
  await lab.world.fronts.sts.setFault({ kind: 'refuse' });
  const leftMs = () => endsAt - (Date.now() + lab.world.clockOffsetMs);
  const served: LoadAnswer[] = [];
  const step = pick(19, 1) * minuteMs;
  const lastServedMs = pick(65_000, 61_500);
  while (leftMs() > lastServedMs) {
    await lab.travel(Math.min(step, leftMs() - lastServedMs + 500));
    served.push(...(await Promise.all(callers.map((index) => lab.ask(lab.warm(index))))));
  }
  const lastLeftMs = leftMs();
  await lab.travel(lastLeftMs - 59_000);
  const late = await Promise.all(callers.map((index) => lab.ask(lab.warm(index))));
  await lab.world.fronts.sts.setFault();
  const recoveryMs = await lab.recovery();
  return {
    seen: `${served.length - failures(served).length} of ${served.length} served, the last with ${seconds(lastLeftMs)} left; ${late.length - failures(late).length} of ${late.length} with less than 60 s; back after ${seconds(recoveryMs)}`,
    met: failures(served).length === 0 && failures(late).length === late.length,
    notes: 'the clocks of all processes are moved on together',
  };
}

async function throttled({ lab: newLab, pick }: RowContext): Promise<Outcome> {
  const lab = await newLab();
  const { sts } = lab.world.fronts;
  lab.world.setStsFault({
    kind: 'error',
    status: 400,
    code: 'Throttling',
    message: 'Rate exceeded',
  });
  const warm = lab.load({ connections: 10, perSecond: 300, make: (index) => lab.warm(index) });
  const cold = (limit: number) =>
    lab.load({ connections: 20, perSecond: 200, limit, make: () => lab.cold() }).ended;
  const spending = await cold(40);
  const callsBefore = sts.calls;
  const counted = await cold(pick(100, 2_000));
  const calls = sts.calls - callsBefore;
  const warmAnswers = await warm.stop();
  lab.world.setStsFault();
  const recoveryMs = await lab.recovery();
  const wrong = [...spending, ...counted].filter(({ code }) => code !== 'sts_throttled');
  const warmErrors = failures(warmAnswers).length;
  return {
    seen: `${(calls / counted.length).toFixed(3)} calls per request; warm: ${warmErrors} errors of ${warmAnswers.length}; cold: ${tally(counted)}; back after ${seconds(recoveryMs)}`,
    // One may still have been saved up.
    met: calls <= counted.length * 1.1 + 1 && warmErrors === 0 && wrong.length === 0,
    notes: warmErrors > 0 ? tally(warmAnswers) : '',
  };
}

async function believed({ lab: newLab }: RowContext): Promise<Outcome> {
  const lab = await newLab();
  const otherAccount = account.replaceAll('1', '9');
  const wrong: string[] = [];
  let cached = 0;
  const kinds = lies(otherAccount);
  for (const [name, fault] of kinds) {
    lab.world.setStsFault(fault);
    const ask = lab.cold();
    const lied = await lab.ask(ask);
    lab.world.setStsFault();
    const callsBefore = lab.world.fronts.sts.calls;
    const true_ = await lab.ask(ask);
    if (lied.code !== 'sts_bad_response') wrong.push(`${name}: ${lied.status} ${lied.code}`);
    if (true_.status !== 200 || lab.world.fronts.sts.calls === callsBefore) cached += 1;
  }
  return {
    seen: `${kinds.length - wrong.length} of ${kinds.length}: 502; ${cached} cached`,
    met: wrong.length === 0 && cached === 0 && kinds.length === 16,
    notes: wrong.join(', '),
  };
}

async function transient({ lab: newLab, atMost }: RowContext): Promise<Outcome> {
  const lab = await newLab();
  const seen: string[] = [];
  let met = true;
  for (const [code, message] of [
    ['InvalidIdentityToken', "Couldn't retrieve verification key from your identity provider"],
    ['IDPCommunicationError', 'cannot be reached'],
  ] as const) {
    lab.world.setStsFault({ kind: 'error', status: 400, code, message });
    const callsBefore = lab.world.fronts.sts.calls;
    const answer = await lab.ask(lab.cold());
    const calls = lab.world.fronts.sts.calls - callsBefore;
    seen.push(`${code}: ${calls} calls in ${seconds(answer.ms)}, then ${answer.status}`);
    met &&= calls <= 3 && answer.code === 'sts_unavailable' && atMost(answer.ms, 1_500);
  }
  lab.world.setStsFault();
  const recoveryMs = await lab.recovery();
  return { seen: `${seen.join('; ')}; back after ${seconds(recoveryMs)}`, met };
}

async function refusedRenewal({ lab: newLab }: RowContext): Promise<Outcome> {
  const lab = await newLab();
  const { sts } = lab.world.fronts;
  await lab.travel(60 * minuteMs);
  await lab.ask(lab.warm(0));
  await lab.ask(lab.warm(1));
  // Ten minutes are left: they are handed out only while STS is failing.
  await lab.travel(50 * minuteMs);
  const refusals: (readonly [user: number, status: number, code: string, expected: string])[] = [
    [0, 403, 'AccessDenied', 'sts_access_denied'],
    [1, 400, 'InvalidIdentityToken', 'sts_token_rejected'],
  ];
  const seen: string[] = [];
  let met = true;
  for (const [user, status, code, expected] of refusals) {
    lab.world.setStsFault({ kind: 'error', status, code, message: 'refused' });
    const callsBefore = sts.calls;
    const refused = await lab.ask(lab.warm(user));
    const calls = sts.calls - callsBefore;
    lab.world.setStsFault();
    await sts.setFault({ kind: 'refuse' });
    // The refusal itself is remembered for a few seconds.
    await lab.travel(10_000);
    const after = await lab.ask(lab.warm(user));
    await sts.setFault();
    seen.push(`${code}: ${refused.status} after ${calls} call, then ${after.status}`);
    met &&= refused.code === expected && calls === 1 && after.code === 'sts_unavailable';
  }
  const recoveryMs = await lab.recovery();
  return { seen: `${seen.join('; ')}; back after ${seconds(recoveryMs)}`, met };
}

async function secondRegion({ lab: newLab, pick, atMost }: RowContext): Promise<Outcome> {
  const lab = await newLab({
    patientWithSts: false,
    config: ({ fronts }) => ({
      sts: {
        endpoints: [
          { region, endpoint: fronts.sts.url },
          { region: 'us-west-2', endpoint: fronts.otherSts.url },
        ],
      },
    }),
  });
  const during = async (kind: 'refuse' | 'hang') => {
    await lab.world.fronts.sts.setFault({ kind });
    const warm = lab.load({ connections: 10, perSecond: 300, make: (index) => lab.warm(index) });
    const cold = lab.load({ connections: 10, perSecond: 50, make: () => lab.cold() });
    await pause(pick(kind === 'hang' ? 2_500 : 500, 10_000));
    const answers = { cold: await cold.stop(), warm: await warm.stop() };
    await lab.world.fronts.sts.setFault();
    await lab.recovery();
    return answers;
  };
  const refused = await during('refuse');
  const hanging = await during('hang');
  const warm = [...refused.warm, ...hanging.warm];
  const hungErrors = failures(hanging.cold).length;
  return {
    seen: `warm: ${failures(warm).length} errors of ${warm.length}; cold, refused: ${failures(refused.cold).length} errors of ${refused.cold.length}, slowest ${seconds(slowest(refused.cold))}; cold, hung: ${hungErrors} errors of ${hanging.cold.length}, slowest ${seconds(slowest(hanging.cold))}`,
    met:
      failures(warm).length === 0 &&
      failures(refused.cold).length === 0 &&
      atMost(slowest(refused.cold), 1_000) &&
      hungErrors <= hanging.cold.length / 100,
  };
}
