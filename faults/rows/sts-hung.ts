import type { Lab } from '../lab.ts';
import { type LoadAnswer, pause } from '../load.ts';
import { failures, percentile, seconds, tally } from '../measures.ts';
import type { Outcome, RowContext } from '../row.ts';
import { region } from '../world.ts';

/** STS never answers: how long callers wait, and whether those who wait slow the others. */
export async function hung({ lab: newLab, long, pick, atMost }: RowContext): Promise<Outcome> {
  const lab = await newLab();
  await lab.world.fronts.sts.setFault({ kind: 'hang' });
  const first = await lab.ask(lab.cold());
  await lab.world.fronts.sts.setFault();
  const patienceMs = pick(3_000, 10_000);
  const patient = await newLab({
    users: 1_000,
    config: ({ fronts }) => ({
      sts: {
        endpoints: [{ region, endpoint: fronts.sts.url }],
        ...{ requestTimeoutMs: patienceMs, totalTimeoutMs: patienceMs, maxConcurrent: 1_000 },
      },
    }),
  });
  const many = pick(100, 1_000);
  // Their tokens take long to make.
  const asks = Array.from({ length: many }, () => patient.cold());
  const warm = () => slices(patient, pick(200, 1_500));
  // As many callers at once without the fault: what they leave behind is not the fault's doing.
  await patient.load({ connections: many, limit: many, make: () => patient.cold() }).ended;
  await patient.warmUp();
  const before = await warm();
  await patient.world.fronts.sts.setFault({ kind: 'hang' });
  const waiting = patient.load({
    connections: many,
    perSecond: 400,
    limit: many,
    make: (index) => asks[index] ?? patient.cold(),
  });
  const callsBefore = patient.world.fronts.sts.calls;
  const allHang = () => patient.world.fronts.sts.calls >= callsBefore + many;
  while (!allHang() && waiting.answers.length === 0) await pause(20);
  // The calls that were just begun are not what is measured.
  await pause(pick(0, 1_000));
  const during = await warm();
  const stillWaiting = many - waiting.answers.length;
  await patient.world.fronts.sts.setFault();
  const refused = await waiting.ended;
  const [calm, busy] = [p99Of(before), p99Of(during)];
  const ratio = busy / calm;
  const errors = failures([...before, ...during].flat()).length;
  return {
    seen: `cold: ${first.status} after ${seconds(first.ms)}; ${stillWaiting} calls hung: warm p99 ${calm.toFixed(2)} → ${busy.toFixed(2)} ms (${ratio.toFixed(2)} times), ${errors} errors`,
    met:
      first.code === 'sts_unavailable' &&
      atMost(first.ms, 3_200) &&
      errors === 0 &&
      stillWaiting === many &&
      failures(refused).every(({ code }) => code === 'sts_unavailable') &&
      (!long || ratio <= 1.2),
    notes: `warm medians ${percentile(before.flat(), 0.5).toFixed(2)} → ${percentile(during.flat(), 0.5).toFixed(2)} ms; p99 of the slices ${p99s(before)} → ${p99s(during)} ms; ${tally(refused)}; the second figure with \`sts.requestTimeoutMs\` and \`sts.totalTimeoutMs\` at 10 s and \`sts.maxConcurrent\` at 1,000, so that as many hang at once`,
  };
}

/** Three times the same, because one p99 says little. */
async function slices(lab: Lab, ms: number): Promise<readonly (readonly LoadAnswer[])[]> {
  const all: (readonly LoadAnswer[])[] = [];
  for (let slice = 0; slice < 3; slice += 1) {
    const load = lab.load({ connections: 10, perSecond: 500, make: (index) => lab.warm(index) });
    await pause(ms);
    all.push(await load.stop());
  }
  return all;
}

/** The median of the slices' own. */
function p99Of(slicesOfOne: readonly (readonly LoadAnswer[])[]): number {
  const each = slicesOfOne.map((answers) => percentile(answers, 0.99)).sort((a, b) => a - b);
  return each[1] ?? Number.NaN;
}

function p99s(slicesOfOne: readonly (readonly LoadAnswer[])[]): string {
  return slicesOfOne.map((answers) => percentile(answers, 0.99).toFixed(1)).join(' ');
}
