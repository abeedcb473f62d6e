/** The broker issues the tokens that STS is shown: its signer fails or is replaced, its documents are away, its clock is wrong. */

import { performance } from 'node:perf_hooks';
import type { SigningFailure } from '../../src/core/errors.ts';
import { Balancer } from '../balancer.ts';
import type { BrokerProcess } from '../broker-process.ts';
import { refusalReasons } from '../invariants.ts';
import type { Lab, LabOptions } from '../lab.ts';
import { type LoadAnswer, pause } from '../load.ts';
import { failures, percentile, seconds, slowest, tally } from '../measures.ts';
import {
  type IdentityKey,
  type OwnIdentity,
  ownTrustPolicy,
  startOwnIdentity,
} from '../own-identity.ts';
import type { Outcome, Row, RowContext } from '../row.ts';
import { roleNamed } from '../world.ts';

const minuteMs = 60_000;
const signTimeoutMs = 1_500;

const unsignedDemanded =
  'warm: 0 errors; cold: 503 `web_identity_unavailable` within 1.8 s, 99 % within 300 ms once the circuit is open; 0 calls of STS; KMS asked once for each signature, and at most once per second when the circuit is open';
const unsignedPromise =
  'Sessions in the cache go on; new ones are refused quickly, and STS sees nothing.';

export const ownIdentityRows: readonly Row[] = [
  {
    id: 'signer-down',
    fault: 'KMS, which signs the broker’s own tokens, refuses connections',
    promise: unsignedPromise,
    demanded: unsignedDemanded,
    operators:
      'Callers whose session is cached are served until a minute before it ends. Others get 503 `web_identity_unavailable` with Retry-After; the audit record has the reason. Nothing to do but look at KMS.',
    run: (context) =>
      unsigned(context, 'signer_failed', ({ front }) => front.setFault({ kind: 'refuse' })),
  },
  {
    id: 'signer-slow',
    fault: 'KMS signs 10 s late',
    promise: 'As when it refuses connections; the first ones wait for the deadline and no longer.',
    demanded: unsignedDemanded,
    operators:
      'As when it refuses connections; the reason is `signer_timeout`. `webIdentity.signTimeoutMs` says how long is waited.',
    run: (context) =>
      unsigned(context, 'signer_timeout', ({ front }) =>
        front.setFault({ kind: 'delay', ms: 10_000 }),
      ),
  },
  {
    id: 'signer-throttled',
    fault: 'KMS answers ThrottlingException',
    promise: 'As when it refuses connections; nothing is tried twice, which would add to the load.',
    demanded: unsignedDemanded,
    operators:
      'The reason is `signer_throttled`. Look for who else signs in the account, then ask for a higher quota of KMS: one signature is made for each new session.',
    run: (context) =>
      unsigned(context, 'signer_throttled', misbehaving({ error: 'ThrottlingException' })),
  },
  {
    id: 'signer-lies',
    fault: 'KMS, or what stands in between, answers with a signature of something else',
    promise: 'It is found out before STS is asked.',
    demanded: unsignedDemanded,
    operators:
      'The reason is `signature_invalid`. Look for what stands between the broker and KMS, and for the key that the alias means.',
    run: (context) => unsigned(context, 'signature_invalid', misbehaving('forge')),
  },
  {
    id: 'signer-disabled',
    fault: 'the key is disabled',
    promise: 'As when KMS refuses connections.',
    demanded: unsignedDemanded,
    operators:
      'The reason is `key_unusable`, also where the key policy changed or the key is to be deleted. Enable it, or rotate.',
    run: (context) =>
      unsigned(context, 'key_unusable', misbehaving({ error: 'DisabledException' })),
  },
  {
    id: 'identity-rotation',
    fault: 'the key that signs is replaced, in the order of docs/web-identity.md, under load',
    promise: 'Nobody notices.',
    demanded:
      '0 answers but 200, 0 broken connections, warm and cold; the new key signs in the end',
    operators: 'One step at a time, and `web-identity check` after each.',
    run: rotation,
  },
  {
    id: 'documents-gone',
    fault: 'the host of the two public documents is away',
    promise:
      'While STS has its copy nobody notices, nor does a restart; without one new sessions are refused.',
    demanded:
      'with a copy: 0 errors, warm and cold, also after a restart; without: warm 0 errors, cold 503 `sts_unavailable`',
    operators:
      'Callers without a session get 503 `sts_unavailable`; the reason is `keys_not_fetched`. `web-identity check` says what STS cannot fetch.',
    run: documentsGone,
  },
  {
    id: 'identity-clock',
    fault: 'the clock of a broker that issues tokens is 4 minutes fast, then 4 minutes slow',
    promise: 'STS bears it, and so nobody is refused.',
    demanded: '0 errors, warm and cold',
    operators:
      'Nothing yet: run NTP. Beyond five minutes new sessions get 502 `sts_request_rejected`, and callers’ own new tokens seem not yet valid before that.',
    run: clock,
  },
];

/** For brokers whose every mapping has the identity of the broker. None is started. */
async function issuersLab(
  { lab: newLab }: RowContext,
  own: OwnIdentity,
  {
    config,
    signMs = signTimeoutMs,
  }: Pick<LabOptions, 'config'> & { readonly signMs?: number } = {},
): Promise<Lab> {
  const lab = await newLab({
    startBroker: false,
    config: async (world, directory) => ({
      ...(await config?.(world, directory)),
      webIdentity: { default: 'broker', signTimeoutMs: signMs, ...own.section },
      // None of these rows is about the disk.
      audit: { deadlineMs: 10_000 },
    }),
  });
  own.forgottenBy(lab.world);
  for (const name of ['orders', 'reports', 'crowd']) {
    lab.world.sts.putRole({
      arn: roleNamed(name),
      maxSessionDurationSeconds: 43_200,
      trustPolicy: ownTrustPolicy(own.issuer),
    });
  }
  return lab;
}

async function issuingLab(context: RowContext, own: OwnIdentity): Promise<Lab> {
  const lab = await issuersLab(context, own);
  await lab.startBroker();
  await lab.exercise(context.pick(0, 5_000));
  await lab.warmUp();
  return lab;
}

async function withOwnIdentity(run: (own: OwnIdentity) => Promise<Outcome>): Promise<Outcome> {
  const own = await startOwnIdentity();
  try {
    return await run(own);
  } finally {
    await own.stop();
  }
}

function misbehaving(how: Parameters<IdentityKey['kms']['behave']>[0]) {
  return async ({ kms }: IdentityKey) => kms.behave(how);
}

function unsigned(
  context: RowContext,
  reason: SigningFailure,
  begin: (key: IdentityKey) => Promise<void>,
): Promise<Outcome> {
  const { pick, atMost } = context;
  return withOwnIdentity(async (own) => {
    const lab = await issuingLab(context, own);
    const { sts } = lab.world.fronts;
    const kms = own.key.front;
    const before = { sts: sts.calls, kms: kms.calls, signing: await signaturesAsked(lab) };
    await begin(own.key);
    const warm = lab.load({ connections: 10, perSecond: 300, make: (index) => lab.warm(index) });
    const first: LoadAnswer[] = [];
    for (let index = 0; index < 8; index += 1) first.push(await lab.ask(lab.cold()));
    const askedBefore = await signaturesAsked(lab);
    const openedAt = performance.now();
    const open = lab.load({ connections: 10, perSecond: 50, make: () => lab.cold() });
    await pause(pick(1_200, 15_000));
    const later = await open.stop();
    const elapsedSeconds = (performance.now() - openedAt) / 1000;
    const asked = await signaturesAsked(lab);
    const probes = asked - askedBefore;
    const named = await lab.broker.metric(`${signingCount}{result="${reason}"`);
    const warmAnswers = await warm.stop();
    const stsCalls = sts.calls - before.sts;
    const kmsCalls = kms.calls - before.kms;
    const signatures = asked - before.signing;
    await own.key.front.setFault();
    own.key.kms.behave('answer');
    const recoveryMs = await lab.recovery();
    const cold = [...first, ...later];
    const wrong = cold.filter(({ code }) => code !== 'web_identity_unavailable');
    const warmErrors = failures(warmAnswers).length;
    const quick = later.filter(({ ms }) => ms < signTimeoutMs);
    return {
      seen: `warm: ${warmErrors} errors of ${warmAnswers.length}; cold: ${cold.length - wrong.length} of ${cold.length} refused so, within ${seconds(slowest(first))}, with the circuit open within ${percentile(quick, 0.99).toFixed(0)} ms (99 %); ${stsCalls} calls of STS, ${kmsCalls} of KMS for ${signatures} signatures, ${named} of them \`${reason}\`; ${(probes / elapsedSeconds).toFixed(2)} probes per second; back after ${seconds(recoveryMs)}`,
      met:
        warmErrors === 0 &&
        wrong.length === 0 &&
        stsCalls === 0 &&
        // Where nothing listens, none arrives.
        kmsCalls <= signatures &&
        named === signatures &&
        atMost(slowest(cold), signTimeoutMs + 300) &&
        // Those that wait longer are the probes.
        later.length - quick.length <= probes &&
        atMost(percentile(quick, 0.99), 300) &&
        // One may be under way at either end.
        probes <= elapsedSeconds + 1,
      notes: wrong.length > 0 ? tally(cold) : '',
    };
  });
}

const signingCount = 'tokenbroker_web_identity_signing_duration_seconds_count';

/** Those for which KMS was asked, that is. */
async function signaturesAsked({ broker }: Lab): Promise<number> {
  const notAsked = await broker.metric(`${signingCount}{result="circuit_open"`);
  return (await broker.metric(signingCount)) - notAsked;
}

function rotation(context: RowContext): Promise<Outcome> {
  const { pick } = context;
  return withOwnIdentity(async (own) => {
    const { key: old } = own;
    const fresh = await own.anotherKey();
    const lab = await issuersLab(context, own, {
      signMs: 10_000,
      config: () => ({ http: { drainSeconds: pick(1, 2), shutdownSeconds: 10 } }),
    });
    const replicas: BrokerProcess[] = [];
    let started = 0;
    const begin = async () => {
      const replica = await lab.startBroker(`-${started}`);
      started += 1;
      while ((await replica.probe('/readyz')) !== 200) await pause(20);
      return replica;
    };
    for (let index = 0; index < pick(1, 2); index += 1) replicas.push(await begin());
    const balancer = new Balancer(replicas);
    const load = lab.load({
      connections: 20,
      perSecond: pick(100, 300),
      make: (index) => (index % 5 === 0 ? lab.cold() : lab.warm(index)),
      url: () => balancer.next(),
    });
    const settle = () => pause(pick(300, 10_000));
    // As a rolling update does: the next one is ready before the last one ends.
    const restartAll = async () => {
      for (const index of replicas.keys()) {
        const last = replicas[index] as BrokerProcess;
        replicas.push(await begin());
        await pause(300);
        await lab.end(last, 'SIGTERM');
        replicas.splice(index, 1, ...replicas.splice(-1));
        await settle();
      }
    };
    const publish = async (...keys: IdentityKey[]) => {
      own.publish(keys);
      await settle();
      // The day of waiting: by its end, STS has fetched the set again.
      own.forgottenBy(lab.world);
      await settle();
    };
    await settle();
    own.configure({ current: old, next: fresh });
    await restartAll();
    await publish(old, fresh);
    own.configure({ current: fresh, previous: old });
    await restartAll();
    const signedBefore = old.front.calls;
    await settle();
    const signedByOld = old.front.calls - signedBefore;
    await publish(fresh);
    own.configure({ current: fresh });
    await restartAll();
    old.kms.behave({ error: 'DisabledException' });
    const freshBefore = fresh.front.calls;
    await settle();
    const signedByFresh = fresh.front.calls - freshBefore;
    const answers = await load.stop();
    balancer.stop();
    const bad = failures(answers);
    const logs = Array.from({ length: started }, (_, at) => `${lab.auditDirectory}-${at}`);
    return {
      seen: `${bad.length} of ${answers.length} not 200 or broken, in five steps in which ${started - replicas.length} replicas were replaced; in the end ${signedByFresh} signatures by the new key and ${signedByOld} by the old one`,
      met: bad.length === 0 && signedByFresh > 0 && signedByOld === 0,
      notes: [
        'a fifth of the requests need a new session; a signature may take 10 s here, for this is not about a machine that stands still',
        ...(bad.length > 0 ? [tally(bad), JSON.stringify(await refusalReasons(logs))] : []),
      ].join('; '),
    };
  });
}

function documentsGone(context: RowContext): Promise<Outcome> {
  const { pick } = context;
  return withOwnIdentity(async (own) => {
    const lab = await issuingLab(context, own);
    const asked = async (ask: (index: number) => ReturnType<Lab['cold']>) =>
      await lab.load({ connections: 5, limit: pick(20, 100), make: ask }).ended;
    const warm = (index: number) => lab.warm(index);
    const cold = () => lab.cold();
    // The local STS keeps its copy for a minute: it has a new one now.
    own.forgottenBy(lab.world);
    await asked(cold);
    await own.documents.setFault({ kind: 'refuse' });
    const withCopy = [...(await asked(warm)), ...(await asked(cold))];
    await lab.end(lab.broker, 'SIGTERM');
    await lab.startBroker();
    withCopy.push(...(await asked(warm)));
    own.forgottenBy(lab.world);
    const coldWithout = await asked(cold);
    const warmWithout = await asked(warm);
    await own.documents.setFault();
    const recoveryMs = await lab.recovery();
    const refused = coldWithout.filter(({ code }) => code === 'sts_unavailable').length;
    const errors = failures(withCopy).length;
    const warmErrors = failures(warmWithout).length;
    return {
      seen: `with a copy: ${errors} errors of ${withCopy.length}, a restart among them; without: warm ${warmErrors} errors of ${warmWithout.length}, cold ${refused} of ${coldWithout.length} refused so; back after ${seconds(recoveryMs)}`,
      met: errors === 0 && warmErrors === 0 && refused === coldWithout.length,
      notes: tally(coldWithout),
    };
  });
}

function clock(context: RowContext): Promise<Outcome> {
  const { pick } = context;
  return withOwnIdentity(async (own) => {
    const lab = await issuingLab(context, own);
    // Older than the clock will be slow: whether a caller's own token is of the future is another matter.
    for (let index = 0; index < lab.world.users; index += 1) lab.world.user(index);
    await lab.travel(10 * minuteMs);
    const during = async (stepMs: number) => {
      await lab.stepClock(stepMs);
      const load = lab.load({
        connections: 10,
        perSecond: 200,
        make: (index) => (index % 5 === 0 ? lab.cold() : lab.warm(index)),
      });
      await pause(pick(500, 5_000));
      return await load.stop();
    };
    const fast = await during(4 * minuteMs);
    const slow = await during(-4 * minuteMs);
    await lab.stepClock(0);
    const recoveryMs = await lab.recovery();
    const bad = failures([...fast, ...slow]);
    return {
      seen: `fast: ${failures(fast).length} errors of ${fast.length}; slow: ${failures(slow).length} errors of ${slow.length}; back after ${seconds(recoveryMs)}`,
      met: bad.length === 0,
      notes: bad.length > 0 ? tally(bad) : 'callers came with tokens of ten minutes ago',
    };
  });
}
