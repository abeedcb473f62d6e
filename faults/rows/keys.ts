/** The issuer's key set is away, slow, rotates, or withdraws a key. */

import { type LoadAnswer, pause } from '../load.ts';
import { failures, seconds, tally } from '../measures.ts';
import type { Outcome, Row, RowContext } from '../row.ts';

const hourMs = 3_600_000;

export const keyRows: readonly Row[] = [
  {
    id: 'keys-down',
    fault: 'the JWKS endpoint of the issuer goes away',
    promise:
      'Known keys are relied on for 24 hours, also after a restart; unknown ones are refused.',
    demanded:
      'known keys: 0 errors until 24 h, also after a restart; unknown key: 503 or 401, 0 calls of STS; 503 `keys_unavailable` after 24 h',
    operators:
      'Nothing, for `keys.maxAgeSeconds` (24 h). `tokenbroker_jwks_age_seconds` grows; alert on it. Keep `keys.directory` on a disk that outlives the process.',
    run: down,
  },
  {
    id: 'keys-slow',
    fault: 'the JWKS endpoint answers 10 s late',
    promise:
      'Who comes with a known key does not wait; who comes with an unknown one does not wait longer than the time limit.',
    demanded: 'known key: 0 errors, 0 ms waiting for it; unknown key: answer within 2.2 s',
    operators: 'As when it is away.',
    run: slow,
  },
  {
    id: 'keys-rotating',
    fault: 'the issuer rotates its keys every hour, 24 times',
    promise: 'New keys are found at first use, old ones hold until they are withdrawn.',
    demanded: '0 tokens refused by mistake; a new key accepted within 1 s',
    operators: 'Nothing.',
    run: rotating,
  },
  {
    id: 'keys-withdrawn',
    fault: 'the issuer withdraws a key',
    promise: 'Tokens signed with it are refused from the next fetch of the key set on.',
    demanded: '401 `token_key_unknown`, verified before or not; 0 served',
    operators: 'Callers with such tokens get 401 and need a new one.',
    run: withdrawn,
  },
];

async function down({ lab: newLab, pick }: RowContext): Promise<Outcome> {
  const lab = await newLab({});
  const known: LoadAnswer[] = [];
  const asked = async (count: number) => {
    const caller = lab.world.service('orders');
    known.push(
      ...(await lab.load({ connections: 5, limit: count, make: () => ({ caller }) }).ended),
    );
  };
  await lab.world.fronts.jwks.setFault({ kind: 'refuse' });
  const steps = pick(2, 23);
  for (let step = 0; step < steps; step += 1) {
    await asked(pick(10, 100));
    await lab.travel((23 / steps) * hourMs);
  }
  await asked(10);
  await lab.end(lab.broker, 'SIGKILL');
  await lab.startBroker();
  await asked(10);
  const callsBefore = lab.world.fronts.sts.calls;
  await lab.world.issuer.rotateKeys();
  const unknown = await lab.ask({ caller: lab.world.service('reports') });
  const calls = lab.world.fronts.sts.calls - callsBefore;
  await lab.travel(2 * hourMs);
  const late = await lab.ask({ caller: lab.world.service('reports') });
  await lab.world.fronts.jwks.setFault();
  const recoveryMs = await lab.recovery();
  return {
    seen: `known keys: ${failures(known).length} errors of ${known.length} in 23 h and after a restart; unknown key: ${unknown.status} ${unknown.code}, ${calls} calls of STS; after 24 h: ${late.status} ${late.code}; back after ${seconds(recoveryMs)}`,
    met:
      failures(known).length === 0 &&
      ['keys_unavailable', 'token_key_unknown'].includes(unknown.code ?? '') &&
      calls === 0 &&
      late.code === 'keys_unavailable',
    notes: `the clocks of all processes are moved on together; ${tally(known)}`,
  };
}

async function slow({ lab: newLab, atMost, pick }: RowContext): Promise<Outcome> {
  const lab = await newLab({});
  await lab.world.fronts.jwks.setFault({ kind: 'delay', ms: 10_000 });
  await lab.world.issuer.rotateKeys();
  const newToken = lab.world.service('reports');
  const load = lab.load({ connections: 10, perSecond: 300, make: (index) => lab.warm(index) });
  const unknown = await lab.ask({ caller: newToken });
  await pause(pick(0, 5_000));
  const answers = await load.stop();
  const waited = answers.filter(({ ms }) => ms > 1_000).length;
  await lab.world.fronts.jwks.setFault();
  return {
    seen: `known keys: ${failures(answers).length} errors of ${answers.length}, ${waited} waited; unknown key: ${unknown.status} ${unknown.code} after ${seconds(unknown.ms)}`,
    met:
      failures(answers).length === 0 &&
      waited === 0 &&
      unknown.code === 'keys_unavailable' &&
      atMost(unknown.ms, 2_200),
  };
}

async function rotating({ lab: newLab, pick, atMost }: RowContext): Promise<Outcome> {
  const lab = await newLab({});
  const answers: LoadAnswer[] = [];
  let slowestMs = 0;
  const rotations = pick(2, 24);
  let previous = lab.world.service('orders');
  for (let rotation = 0; rotation < rotations; rotation += 1) {
    await lab.world.issuer.rotateKeys();
    await lab.travel(hourMs);
    const next = lab.world.service('orders');
    // Verified anew each time: these tokens are new.
    const first = await lab.ask({ caller: next });
    slowestMs = Math.max(slowestMs, first.ms);
    answers.push(first, await lab.ask({ caller: previous }));
    previous = next;
  }
  const wrong = failures(answers);
  return {
    seen: `${wrong.length} of ${answers.length} refused by mistake; a new key accepted within ${seconds(slowestMs)}`,
    met: wrong.length === 0 && atMost(slowestMs, 1_000),
    notes: `the clocks of all processes are moved on by an hour each; ${tally(answers)}`,
  };
}

async function withdrawn({ lab: newLab }: RowContext): Promise<Outcome> {
  const lab = await newLab({});
  const verified = lab.world.service('orders');
  const unverified = lab.world.service('orders');
  const before = await lab.ask({ caller: verified });
  await lab.world.issuer.rotateKeys();
  lab.world.issuer.withdrawOldKeys();
  const next = await lab.ask({ caller: lab.world.service('orders') });
  const after = [await lab.ask({ caller: verified }), await lab.ask({ caller: unverified })];
  const refused = after.filter(({ code }) => code === 'token_key_unknown').length;
  return {
    seen: `before: ${before.status}; new key: ${next.status}; withdrawn key: ${tally(after)}`,
    met: before.status === 200 && next.status === 200 && refused === after.length,
    notes:
      'the next fetch is made for a token with a new key; without one it is made within `keys.refreshSeconds`',
  };
}
