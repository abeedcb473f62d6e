/** Two brokers are given one audit directory, as a pod's old container and its new one are. */

import type { BrokerProcess } from '../broker-process.ts';
import type { Lab } from '../lab.ts';
import { type LoadAnswer, pause } from '../load.ts';
import { seconds, tally } from '../measures.ts';
import type { Outcome, Row, RowContext } from '../row.ts';

export const auditLeaseRows: readonly Row[] = [
  {
    id: 'audit-two-writers',
    fault:
      'a second broker of the same host name, in a PID namespace of its own, is given the audit directory of one that lives; then that one stands still and goes on',
    promise: 'One of them writes, and the other hands out nothing: the chain stays one.',
    demanded:
      '0 credentials from the second while the first lives; the second serves within 15 s after the first stands still; 0 from the first once it goes on; one unbroken chain',
    operators:
      'Give each broker a directory of its own. Nothing else: who does not hold the directory says that it is not ready. What the first one was about to write stands behind the end of its own file, and `audit verify` notes it.',
    needsRoot: true,
    run: twoWriters,
  },
];

/** It sees none of the processes outside; its end is that of `unshare`. */
const ownNamespace = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child', '--'];

async function twoWriters({ lab: newLab, pick, atMost }: RowContext): Promise<Outcome> {
  const lab = await newLab({});
  const first = lab.broker;
  const second = await lab.startBroker('', { wrap: ownNamespace });

  const both = [load(lab, first), load(lab, second)] as const;
  await pause(pick(2_000, 30_000));
  const beside = issued(await both[1].stop());

  first.signal('SIGSTOP');
  const stoppedAt = performance.now();
  while (
    (await lab.ask(lab.cold(), second.urls.api)).status !== 200 &&
    performance.now() < stoppedAt + 30_000
  ) {
    await pause(100);
  }
  const takenMs = performance.now() - stoppedAt;
  const others = load(lab, second);
  await pause(pick(500, 5_000));
  const wokenAt = performance.now();
  first.signal('SIGCONT');
  await pause(pick(1_500, 10_000));
  const ofFirst = await both[0].stop();
  const ofSecond = await others.stop();
  const late = issued(ofFirst.filter(({ sentAt }) => sentAt > wokenAt));
  const ready = [await first.probe('/readyz'), await second.probe('/readyz')].join(' and ');
  await lab.end(second, 'SIGKILL');
  return {
    seen: `beside the first one, the second handed out ${beside}; it served ${seconds(takenMs)} after the first stood still; the first, going on, handed out ${late}; /readyz ${ready}`,
    met:
      beside === 0 &&
      late === 0 &&
      ready === '503 and 200' &&
      issued(ofSecond) > 0 &&
      atMost(takenMs, 15_000),
    notes: `the first: ${tally(ofFirst)}; what was under way when it stood still is broken off by its callers, or refused when it goes on; a takeover waits for ten seconds of silence`,
  };
}

function load(lab: Lab, broker: BrokerProcess) {
  return lab.load({
    connections: 10,
    perSecond: 200,
    make: (index) => (index % 20 === 0 ? lab.cold() : lab.warm(index)),
    url: () => broker.urls.api,
  });
}

function issued(answers: readonly LoadAnswer[]): number {
  return answers.filter(({ status }) => status === 200).length;
}
