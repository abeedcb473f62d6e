/** Both forms of web identity at once, for the same people and roles. STS says of every session that is answered what it is. */

import { performance } from 'node:perf_hooks';
import type { CloudTrailEvent } from '../../emulators/sts/cloudtrail-events.ts';
import type { RoleMappingInput } from '../../src/core/policy/role-mapping.ts';
import { claimRef } from '../../test/support/domain.ts';
import { Administrator, adminSection, EditRefused } from '../administrator.ts';
import { auditViolations } from '../invariants.ts';
import type { Lab } from '../lab.ts';
import { type LoadAnswer, pause, runLoadBeside } from '../load.ts';
import { count, seconds } from '../measures.ts';
import { numbers, type Random, randomFrom } from '../mixed-crowd.ts';
import { audience, type OwnIdentity, ownTrustPolicy, startOwnIdentity } from '../own-identity.ts';
import type { Outcome, Row, RowContext } from '../row.ts';
import { type Ask, formNames } from '../wire-forms.ts';
import {
  account,
  type ClientName,
  type CrowdCaller,
  clientIdOf,
  mappingOf,
  pool,
  roleNamed,
  trustOf,
  type World,
} from '../world.ts';

export const mixedFormsRows: readonly Row[] = [
  {
    id: 'mixed-forms',
    fault:
      'the same callers use mappings with the identity of the broker (tags, transitive tags, source identity) and with their own tokens, some of which bring tags of their own, while one mapping goes from one form to the other and back',
    promise: 'Nobody gets a session, a tag or a source identity of another.',
    demanded:
      'in 1,000,000 requests, or as many as fit into 25 minutes: 0 sessions with another subject, role, issuer, tag or source identity than is due, by what STS recorded of each; at least 99 % served',
    operators: 'Nothing: it is what should hold on any day.',
    run: mixed,
  },
];

const people = 40;
const teams = ['orders', 'payments', 'night shift'];

interface Presented extends CrowdCaller {
  readonly client: keyof typeof byClient;
  readonly team: string;
  /** What the pool has put into the token, for STS. */
  readonly own: Attributed | undefined;
}

interface Attributed {
  readonly tags?: Readonly<Record<string, string>>;
  readonly transitive?: readonly string[];
  readonly sourceIdentity?: string;
}

interface MixedMapping {
  readonly mapping: RoleMappingInput;
  readonly client: ClientName;
  readonly form: 'caller' | 'broker';
  /** What sessions of it are to have by the identity of the broker. */
  readonly attributed: (caller: Presented) => Attributed;
}

const teamTag = claimRef('custom:team');
const subject = claimRef('sub');
const bare = () => ({});

function own(
  id: string,
  client: ClientName,
  session: RoleMappingInput['session'],
  attributed: MixedMapping['attributed'],
): MixedMapping {
  return mapped(id, client, 'broker', session, attributed);
}

function mapped(
  id: string,
  client: ClientName,
  form: MixedMapping['form'],
  session: RoleMappingInput['session'] = {},
  attributed: MixedMapping['attributed'] = bare,
): MixedMapping {
  const [, role = ''] = id.split('-');
  const mapping = {
    ...mappingOf(id, client),
    role: roleNamed(`mixed-${role}`),
    session: { name: '{sub}', maxDurationSeconds: 43_200, identity: form, ...session },
  };
  return { mapping, client, form, attributed };
}

const marked = {
  tags: { team: teamTag, who: subject, tenant: 'acme' },
  transitiveTags: ['tenant', 'who'],
  sourceIdentity: subject,
};
const markedAs = (caller: Presented): Attributed => ({
  tags: { team: caller.team, who: caller.subject, tenant: 'acme' },
  transitive: ['tenant', 'who'],
  sourceIdentity: caller.subject,
});

const turning = {
  broker: own('people-turn', 'crowd', marked, markedAs),
  caller: mapped('people-turn', 'crowd', 'caller'),
};

/** One for each client and role, so that a role stands for its mapping. */
const mappings: readonly MixedMapping[] = [
  own('people-own', 'crowd', marked, markedAs),
  own('people-both', 'crowd', { tags: { team: teamTag } }, ({ team }) => ({ tags: { team } })),
  own('people-bare', 'crowd', {}, bare),
  mapped('people-plain', 'crowd', 'caller'),
  turning.broker,
  own('machine-own', 'orders', { tags: { who: subject } }, ({ subject: who }) => ({
    tags: { who },
  })),
  mapped('machine-both', 'orders', 'caller'),
  mapped('machine-plain', 'orders', 'caller'),
];

async function mixed({ lab: newLab, pick }: RowContext): Promise<Outcome> {
  const seed = Date.now() % 1_000_000;
  const identity = await startOwnIdentity();
  try {
    const account = new StsAccount();
    const lab = await newLab({
      startBroker: false,
      users: people,
      onStsEvent: account.note,
      config: (world) => ({
        admin: adminSection(world),
        identity: { matchableClaims: ['custom:team'] },
        webIdentity: { signTimeoutMs: 10_000, ...identity.section },
        cache: { maxEntriesPerCaller: 64 },
        audit: { deadlineMs: 10_000 },
      }),
    });
    trustBoth(lab.world, identity);
    await lab.startBroker();
    const trial = new Trial({ lab, identity, account, random: randomFrom(seed) });
    await trial.prepare();
    const startedAt = performance.now();
    const half = pick(1_000, 500_000);
    const atMostMs = pick(12_000, 25 * 60_000) / 2;
    const flipEveryMs = pick(2_000, 15_000);
    await trial.run(half, { atMostMs, flipEveryMs });
    lab.compareWithNow();
    await trial.run(half, { atMostMs, flipEveryMs });
    const tookMs = performance.now() - startedAt;
    lab.check(await auditViolations(trial.served, [lab.auditDirectory]));
    const { wrong, answered, served, turns } = trial;
    return {
      seen: `${wrong.length} of ${served.length} sessions were not what is due, of ${answered} requests in ${seconds(tookMs)}; STS made ${account.size} sessions, ${account.byBroker} of them by the identity of the broker; the mapping changed its form ${turns} times`,
      met:
        wrong.length === 0 &&
        served.length >= answered * pick(0.9, 0.99) &&
        account.byBroker > 50 &&
        account.size - account.byBroker > 50,
      notes: [`seed ${seed}; ${JSON.stringify(trial.tally)}`, ...wrong.slice(0, 3)].join('; '),
    };
  } finally {
    await identity.stop();
  }
}

/** Each role that both forms use trusts both; the others one of them. */
function trustBoth({ sts, issuer, clientIds }: World, identity: OwnIdentity): void {
  const { Statement: ofOwn } = ownTrustPolicy(identity.issuer);
  const { Statement: assume } = trustOf(issuer.url, clientIds);
  const ofPool = assume.map((statement) => ({
    ...statement,
    Action: ['sts:AssumeRoleWithWebIdentity', 'sts:TagSession', 'sts:SetSourceIdentity'],
  }));
  const roles = { own: ofOwn, bare: ofOwn, plain: ofPool, both: [...ofOwn, ...ofPool] };
  for (const [name, Statement] of Object.entries({ ...roles, turn: roles.both })) {
    sts.putRole({
      arn: roleNamed(`mixed-${name}`),
      maxSessionDurationSeconds: 43_200,
      trustPolicy: { Version: '2012-10-17', Statement },
    });
  }
  identity.forgottenBy({ sts });
}

/** What a session is, in one text. */
interface Session extends Attributed {
  /** As the token says it. */
  readonly subject: string;
  readonly name: string;
  readonly provider: string;
  readonly audience: string;
  readonly role: string;
  readonly durationSeconds: number;
  readonly authorizedByIdp: boolean;
}

function inOneText(session: Session): string {
  const { subject, name, provider, audience, role, durationSeconds, authorizedByIdp } = session;
  const tags = Object.entries(session.tags ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const transitive = [...(session.transitive ?? [])].sort((a, b) => (a < b ? -1 : 1));
  const whose = [subject, name, provider, audience, role, durationSeconds, authorizedByIdp];
  return JSON.stringify([...whose, tags, transitive, session.sourceIdentity ?? null]);
}

/** What STS recorded of each session that it made, by access key id. */
class StsAccount {
  readonly #sessions = new Map<string, string>();
  byBroker = 0;

  get size(): number {
    return this.#sessions.size;
  }

  of(accessKeyId: string): string | undefined {
    return this.#sessions.get(accessKeyId);
  }

  readonly note = (event: CloudTrailEvent): void => {
    const { requestParameters, responseElements, additionalEventData } = event as unknown as {
      readonly requestParameters: {
        readonly roleArn: string;
        readonly roleSessionName: string;
        readonly durationSeconds: number;
        readonly sourceIdentity?: string;
        readonly principalTags?: Readonly<Record<string, string>>;
        readonly transitiveTagKeys?: readonly string[];
      };
      readonly responseElements: {
        readonly credentials: { readonly accessKeyId: string };
        readonly subjectFromWebIdentityToken: string;
        readonly provider: string;
        readonly audience: string;
      };
      readonly additionalEventData?: object;
    };
    const { principalTags, transitiveTagKeys, sourceIdentity } = requestParameters;
    const authorizedByIdp = additionalEventData !== undefined;
    if (authorizedByIdp) this.byBroker += 1;
    const session = inOneText({
      subject: responseElements.subjectFromWebIdentityToken,
      name: requestParameters.roleSessionName,
      provider: responseElements.provider,
      audience: responseElements.audience,
      role: requestParameters.roleArn,
      durationSeconds: requestParameters.durationSeconds,
      authorizedByIdp,
      ...(principalTags === undefined ? {} : { tags: principalTags }),
      ...(transitiveTagKeys === undefined ? {} : { transitive: transitiveTagKeys }),
      ...(sourceIdentity === undefined ? {} : { sourceIdentity }),
    });
    this.#sessions.set(responseElements.credentials.accessKeyId, session);
  };
}

interface TrialParts {
  readonly lab: Lab;
  readonly identity: OwnIdentity;
  readonly account: StsAccount;
  readonly random: Random;
}

interface Pace {
  readonly atMostMs: number;
  readonly flipEveryMs: number;
}

interface Asked {
  readonly by: Presented;
  readonly of: MixedMapping;
}

class Trial {
  readonly #parts: TrialParts;
  readonly #administrator: Administrator;
  readonly #tokens: readonly Presented[];
  readonly #asked = new WeakMap<Ask, Asked>();
  #turnVersion = 0;
  /** No more of each than what the audit log is held against: there are many. */
  readonly served: Pick<LoadAnswer, 'status' | 'requestId' | 'accessKeyId'>[] = [];
  readonly wrong: string[] = [];
  readonly tally: Record<string, number> = {};
  answered = 0;
  turns = 0;

  constructor(parts: TrialParts) {
    this.#parts = parts;
    this.#administrator = new Administrator(parts.lab.world, () => parts.lab.broker.urls.admin);
    this.#tokens = presented(parts.lab.world);
  }

  async prepare(): Promise<void> {
    for (const { mapping } of mappings) {
      const { version } = await this.#administrator.put(mapping, undefined);
      if (mapping.id === turning.broker.mapping.id) this.#turnVersion = version;
    }
  }

  async run(requests: number, { atMostMs, flipEveryMs }: Pace): Promise<void> {
    const { lab } = this.#parts;
    await runLoadBeside({
      connections: 24,
      make: () => this.#ask(),
      limit: requests,
      atMostMs,
      url: () => lab.broker.urls.api,
      onAnswer: (answer) => this.#judge(answer),
      beside: (isOver) => this.#turnUntil(isOver, flipEveryMs),
    });
  }

  #ask(): Ask {
    const { random } = this.#parts;
    const by = random(this.#tokens);
    const of = random(byClient[by.client]);
    const form = random(formNames);
    // A name stands for a mapping, and so does its role: there is one for each client.
    const role = form === 'sts' || random([true, false]) ? of.mapping.role : of.mapping.id;
    // Now and then a session that is not there yet.
    const fresh = form !== 'container' && random(fiftieths) === 0;
    const durationSeconds = fresh ? 900 + 60 * random(durations) : undefined;
    const ask: Ask = { caller: by, form, role, durationSeconds };
    this.#asked.set(ask, { by, of });
    return ask;
  }

  #judge(answer: LoadAnswer): void {
    this.answered += 1;
    const { status, requestId, accessKeyId, ask } = answer;
    if (status !== 200) {
      count(this.tally, answer);
      return;
    }
    const asked = this.#asked.get(ask);
    if (asked === undefined) throw new Error('an answer to nothing that was asked');
    this.served.push({ status, requestId, accessKeyId });
    const made = this.#parts.account.of(accessKeyId ?? '');
    if (made !== undefined && this.#due(asked, ask).some((session) => session === made)) return;
    this.wrong.push(`${asked.by.name} asked for ${asked.of.mapping.id} and got ${made}`);
  }

  /** While the mapping changes, either of its forms is right: each is of this caller. */
  #due({ by, of }: Asked, { durationSeconds = 3600 }: Ask): readonly string[] {
    const forms = of === turning.broker ? Object.values(turning) : [of];
    return forms.map((one) => this.#sessionOf(one, by, durationSeconds));
  }

  #sessionOf({ mapping, form, attributed }: MixedMapping, by: Presented, durationSeconds: number) {
    const { identity, lab } = this.#parts;
    const broker = form === 'broker';
    const kind = by.client === 'crowd' ? 'user' : 'client';
    return inOneText({
      subject: broker ? `${pool}/${kind}/${by.subject}` : by.subject,
      name: by.subject,
      provider: providerArn(broker ? identity.issuer : lab.world.issuer.url),
      audience: broker ? audience : clientIdOf(by.client),
      role: mapping.role,
      durationSeconds,
      authorizedByIdp: broker,
      ...(broker ? attributed(by) : by.own),
    });
  }

  async #turnUntil(isOver: () => boolean, everyMs: number): Promise<void> {
    for (let turn = 0; !isOver(); turn += 1) {
      const { mapping } = turn % 2 === 0 ? turning.caller : turning.broker;
      try {
        const { version } = await this.#administrator.put(mapping, this.#turnVersion);
        this.#turnVersion = version;
        this.turns += 1;
      } catch (error) {
        if (!(error instanceof EditRefused)) throw error;
      }
      for (let waited = 0; waited < everyMs && !isOver(); waited += 100) await pause(100);
    }
  }
}

const fiftieths = numbers(50);
const durations = numbers(600);
const ofClient = (name: ClientName) => mappings.filter(({ client }) => client === name);
const byClient = { crowd: ofClient('crowd'), orders: ofClient('orders') };

function providerArn(issuer: string): string {
  return `arn:aws:iam::${account}:oidc-provider/${issuer.replace(/^https?:\/\//, '')}`;
}

/** Everybody with each team, with and without tags of the pool in the token. */
function presented(world: World): readonly Presented[] {
  const everybody = [
    ...numbers(people).map((user) => ({ client: 'crowd', user }) as const),
    { client: 'orders', user: undefined } as const,
  ];
  return everybody.flatMap(({ client, user }) =>
    teams.flatMap((team) =>
      [false, true].map((brings): Presented => {
        const owned = brings
          ? {
              tags: { team: `pool-${user}`, tenant: 'another', who: 'another' },
              transitive: ['tenant'],
              sourceIdentity: `pool-${user}`,
            }
          : undefined;
        const { token, subject } = world.tokenOf(client, user, {
          'custom:team': team,
          ...(owned && {
            'https://aws.amazon.com/tags': {
              principal_tags: Object.fromEntries(
                Object.entries(owned.tags).map(([key, value]) => [key, [value]]),
              ),
              transitive_tag_keys: owned.transitive,
            },
            'https://aws.amazon.com/source_identity': owned.sourceIdentity,
          }),
        });
        const name = `${user === undefined ? client : `user ${user}`} of ${team}`;
        return { name, subject, token, role: undefined, client, team, own: owned };
      }),
    ),
  );
}
