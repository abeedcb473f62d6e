/** Whoever has no token at all tries to fill the disk that everybody's credentials depend on. */

import { performance } from 'node:perf_hooks';
import { readAuditLines } from '../../src/audit/read-lines.ts';
import { Administrator, adminSection } from '../administrator.ts';
import type { Lab } from '../lab.ts';
import { type LoadAnswer, pause } from '../load.ts';
import { failures, percentile, seconds, tally } from '../measures.ts';
import type { Outcome, Row, RowContext } from '../row.ts';
import { type CrowdCaller, pool } from '../world.ts';

const diskKib = 32 * 1024;

export const strangerRows: readonly Row[] = [
  {
    id: 'audit-strangers',
    fault:
      'anybody without a token sends refused requests as fast as they are answered, each with another token and User-Agent, and the audit log is on a disk of 32 MiB',
    promise: 'Every authenticated caller is served, and an administrator can freeze.',
    demanded:
      '0 errors of authenticated callers; a freeze in force within 5 s; less than 1 MiB of records of strangers a minute, each refusal in a count',
    operators:
      'None of it is an outage. `tokenbroker_audit_repeated_denials_total` shows the flood, the audit log the blocks of addresses.',
    needsRoot: true,
    run: filled,
  },
];

async function filled({ lab: newLab, long, pick, atMost }: RowContext): Promise<Outcome> {
  const lab = await newLab({
    auditDisk: { kind: 'tmpfs', kib: diskKib },
    // Which would fill such a disk with records of people who are served.
    exerciseMs: 0,
    config: (world) => ({
      admin: adminSection(world),
      // The default: the laboratory has none.
      limits: { failedTokensPerAddress: {} },
    }),
  });
  // Known from before, as everybody is who is at work.
  const frozen = lab.world.service('orders');
  await lab.ask({ caller: frozen });
  const startedAt = performance.now();
  const flood = lab.load({ connections: 20, make: stranger });
  const callers = lab.load({
    connections: 10,
    perSecond: pick(100, 200),
    make: (index) => lab.warm(index),
  });
  await pause(pick(1_500, 60_000));
  const frozenMs = await freezeInForce(lab, frozen);
  const refused = await flood.stop();
  const floodMs = performance.now() - startedAt;
  const answers = await callers.stop();
  // Counts are written ten seconds after the first of their kind.
  await pause(pick(0, 11_000));
  const records = await recordsOfRefusals(lab.auditDirectory);
  const bytesPerMinute = (records.bytes * 60_000) / Math.max(floodMs, 10_000);
  const errors = failures(answers);
  return {
    seen: `${refused.length} refused in ${seconds(floodMs)}; ${errors.length} errors of ${answers.length} authenticated requests, p99 ${percentile(answers, 0.99).toFixed(0)} ms; freeze in force after ${seconds(frozenMs)}; ${records.lines} records of refusals, ${(records.bytes / 1024).toFixed(0)} KiB, for ${records.counted} requests`,
    met:
      errors.length === 0 &&
      atMost(frozenMs, 5_000) &&
      bytesPerMinute < 1_048_576 &&
      (!long || records.counted === failures(refused).length) &&
      failures(refused).length === refused.length,
    notes: `the strangers: ${tally(refused)}; the callers: ${tally(answers)}`,
  };
}

interface Refusal {
  readonly outcome?: string;
  readonly token?: { readonly issuer?: string };
  readonly repeats?: { readonly count: number };
}

/** Of those who have proven nothing. */
async function recordsOfRefusals(location: string) {
  const seen = { lines: 0, bytes: 0, counted: 0 };
  for await (const { lines } of readAuditLines(location)) {
    for (const { bytes, complete } of lines) {
      if (!complete) continue;
      const { outcome, token, repeats } = JSON.parse(bytes.toString('utf8')) as Refusal;
      if (outcome !== 'denied' || token?.issuer !== undefined) continue;
      seen.lines += 1;
      seen.bytes += bytes.length + 1;
      seen.counted += repeats?.count ?? 1;
    }
  }
  return seen;
}

function stranger(index: number) {
  return {
    caller: {
      name: 'stranger',
      subject: '',
      token: `bm8.and0.${index}`,
      role: undefined,
    },
    userAgent: `stranger/${index} ${'x'.repeat(200)}`,
  };
}

/** Milliseconds from the order to the first refusal. */
async function freezeInForce(lab: Lab, target: CrowdCaller): Promise<number> {
  const administrator = new Administrator(lab.world, () => lab.broker.urls.admin);
  const startedAt = performance.now();
  await administrator.freeze({ principal: { pool, client: target.subject }, role: '*' });
  let last: LoadAnswer;
  do {
    last = await lab.ask({ caller: target });
  } while (last.code !== 'access_denied' && performance.now() - startedAt < 30_000);
  return performance.now() - startedAt;
}
