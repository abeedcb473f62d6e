/** Everything changes all the time: mappings, freezes, and what tokens say. Two judges look at every answer. */

import { performance } from 'node:perf_hooks';
import { type IdentityPool, startIdentityPool } from '../../emulators/issuer/identity-pool.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { Administrator, adminSection, EditRefused } from '../administrator.ts';
import { auditViolations } from '../invariants.ts';
import type { Lab } from '../lab.ts';
import { type LoadAnswer, pause, runLoadBeside } from '../load.ts';
import { count, seconds } from '../measures.ts';
import {
  anyFreeze,
  anyMapping,
  crowdIdentityPool,
  crowdRoles,
  isTrusted,
  numbers,
  type Presented,
  prepareCrowd,
  present,
  type Random,
  randomFrom,
} from '../mixed-crowd.ts';
import { type Due, PolicyHistory, sessionDue } from '../policy-oracle.ts';
import type { Outcome, Row, RowContext } from '../row.ts';
import type { Ask } from '../wire-forms.ts';
import { formNames } from '../wire-forms.ts';
import { claimsIn, type Issued } from '../world.ts';

export const changingPolicyRows: readonly Row[] = [
  {
    id: 'changing-policy',
    fault:
      'mappings are created, narrowed, replaced, frozen, lifted and deleted, and tokens change what they say, while 300,000 mixed requests come in all three wire forms',
    promise:
      'Nobody gets a session that the policy of that moment, or a trust policy’s `amr`, does not allow.',
    demanded:
      'in 300,000 requests, or as many as fit into half an hour: 0 such sessions by the judgement of an oracle that shares nothing with the broker, and by what STS made them of; 0 refusals of what is allowed all the while',
    operators: 'Nothing: it is what should hold on any day.',
    run: changing,
  },
];

const longMinutes = 30;

async function changing({ lab: newLab, pick }: RowContext): Promise<Outcome> {
  const seed = Date.now() % 1_000_000;
  const random = randomFrom(seed);
  const identities = await startIdentityPool({ clock: systemClock, poolId: crowdIdentityPool });
  try {
    const { url: issuer, jwksUri } = identities;
    const lab = await newLab({
      startBroker: false,
      config: (world) => ({
        admin: adminSection(world),
        identity: {
          identityPools: [{ pool: crowdIdentityPool, issuer, jwksUri }],
          matchableClaims: ['custom:team'],
        },
      }),
    });
    prepareCrowd(lab.world, identities);
    await lab.startBroker();
    await lab.warmUp();
    const trial = new Trial(lab, identities, random);
    const startedAt = performance.now();
    const atMostMs = pick(12_000, longMinutes * 60_000) / 2;
    await trial.run(pick(1_500, 150_000), atMostMs);
    lab.compareWithNow();
    await trial.run(pick(1_500, 150_000), atMostMs);
    const tookMs = performance.now() - startedAt;
    lab.check(await auditViolations(trial.served, [lab.auditDirectory]));
    const { violations, wronglyRefused, answered, served, edits, sessions } = trial;
    return {
      seen: `${violations.length} sessions that were not allowed, ${wronglyRefused.length} wrong refusals, of ${answered} requests in ${seconds(tookMs)}; ${served.length} were served, with ${sessions.size} different sessions; ${edits} edits, ${trial.freezes} of them freezes`,
      met:
        violations.length === 0 &&
        wronglyRefused.length === 0 &&
        served.length > answered / 10 &&
        sessions.size > answered / 100,
      notes: [
        `seed ${seed}; ${JSON.stringify(trial.tally)}`,
        ...violations.slice(0, 3),
        ...wronglyRefused.slice(0, 3),
      ].join('; '),
    };
  } finally {
    await identities.stop();
  }
}

class Trial {
  readonly #lab: Lab;
  readonly #identities: IdentityPool;
  readonly #random: Random;
  readonly #history: PolicyHistory;
  readonly #administrator: Administrator;
  readonly #tokens: Presented[];
  readonly #asked = new WeakMap<Ask, { readonly by: Presented; readonly moment: number }>();
  readonly #versions = new Map<string, number>();
  readonly #frozen = new Map<string, string>();
  readonly served: LoadAnswer[] = [];
  readonly sessions = new Set<string>();
  readonly violations: string[] = [];
  readonly wronglyRefused: string[] = [];
  readonly tally: Record<string, number> = {};
  answered = 0;
  edits = 0;
  freezes = 0;

  constructor(lab: Lab, identities: IdentityPool, random: Random) {
    this.#lab = lab;
    this.#identities = identities;
    this.#random = random;
    this.#history = new PolicyHistory(lab.world.mappings);
    for (const { id } of lab.world.mappings) this.#versions.set(id, 1);
    this.#administrator = new Administrator(lab.world, () => lab.broker.urls.admin);
    this.#tokens = numbers(120).map(() => present(lab.world, identities, random));
  }

  async run(requests: number, atMostMs: number): Promise<void> {
    await runLoadBeside({
      connections: 16,
      make: (index) => this.#ask(index),
      limit: requests,
      atMostMs,
      url: () => this.#lab.broker.urls.api,
      onAnswer: (answer) => this.#judge(answer),
      beside: (isOver) => this.#editUntil(isOver),
    });
  }

  #ask(index: number): Ask {
    const random = this.#random;
    // Now and then somebody comes with a token that says something else.
    if (index % 60 === 0) {
      const place = random(numbers(this.#tokens.length));
      this.#tokens[place] = present(this.#lab.world, this.#identities, random);
    }
    const by = random(this.#tokens);
    const form = random(formNames);
    const role = random([
      this.#dueTo(by) ?? random(crowdRoles),
      this.#dueTo(by) ?? random(crowdRoles),
      random([...this.#versions.keys()]),
      form === 'sts' ? random(crowdRoles) : undefined,
    ]);
    const durationSeconds = random([undefined, undefined, 900, 1234, 1800, 3600]);
    const ask: Ask = {
      caller: by,
      form,
      role,
      ...(form === 'container' ? {} : { durationSeconds }),
      ...(form === 'sts' && random(numbers(5)) === 0 ? { policy: random(callerPolicies) } : {}),
    };
    this.#asked.set(ask, { by, moment: this.#history.moment });
    return ask;
  }

  /** Some mapping that gives them its role. */
  #dueTo(caller: Presented): string | undefined {
    const { rows } = this.#history;
    const ids = [...this.#versions.keys()].filter(
      (id) => sessionDue(rows, caller.asker, { caller, role: id }) !== undefined,
    );
    return ids.length === 0 ? undefined : this.#random(ids);
  }

  #judge(answer: LoadAnswer): void {
    this.answered += 1;
    count(this.tally, answer);
    const asked = this.#asked.get(answer.ask);
    if (asked === undefined) throw new Error('an answer to nothing that was asked');
    if (answer.status === 200) this.#judgeSession(answer, asked.by);
    else if (answer.status === 403 && asked.moment === this.#history.moment) {
      this.#judgeRefusal(answer, asked.by);
    }
  }

  #judgeSession(answer: LoadAnswer, { asker, name }: Presented): void {
    this.served.push(answer);
    const issued = this.#lab.world.issued.get(answer.accessKeyId ?? '');
    if (issued === undefined) {
      this.violations.push(`${name} got credentials that STS did not make`);
      return;
    }
    this.sessions.add(answer.accessKeyId ?? '');
    const dues = this.#history.possible.map((rows) => sessionDue(rows, asker, answer.ask));
    const due = dues.some((one) => one !== undefined && isThat(one, issued));
    const trusted = isTrusted(issued.role, asker);
    const alike = isMadeOf(issued, answer.ask.caller.token);
    if (due && trusted && alike) return;
    const faults = [
      ...(due ? [] : ['is not what the policy gives']),
      ...(trusted ? [] : ['is not what the trust policy gives this token']),
      ...(alike ? [] : ['was made with a token that says something else']),
    ];
    this.violations.push(
      `${name} (${answer.ask.form}) got a session of ${issued.role} that ${faults.join(', and ')}`,
    );
  }

  /** Of what was allowed from the request to the answer. */
  #judgeRefusal({ ask, code }: LoadAnswer, { asker, name }: Presented): void {
    const [rows, another] = this.#history.possible;
    if (rows === undefined || another !== undefined) return;
    const due = sessionDue(rows, asker, ask);
    if (due === undefined || !isTrusted(due.role, asker)) return;
    this.wronglyRefused.push(`${name} was refused ${due.role} by ${due.mapping.id}: ${code}`);
  }

  async #editUntil(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      try {
        await this.#edit();
      } catch (error) {
        if (!(error instanceof EditRefused)) throw error;
        this.#history.abandon();
      }
      this.edits += 1;
      await pause(this.#random([0, 20, 150]));
    }
  }

  #edit(): Promise<void> {
    const own = [...this.#versions.keys()].filter((id) => !id.startsWith('other-'));
    const wanted = this.#random(['put', 'put', 'put', 'remove', 'freeze', 'lift'] as const);
    const [frozen] = this.#frozen.keys();
    if (frozen !== undefined && (wanted === 'lift' || this.#frozen.size > 1)) {
      return this.#lift(frozen);
    }
    if (wanted === 'freeze') return this.#freeze();
    if (wanted === 'remove' && own.length > 8) return this.#remove(this.#random(own));
    const id = own.length < 16 ? `m-${this.edits}` : this.#random(own);
    return this.#put(id);
  }

  async #put(id: string): Promise<void> {
    const mapping = anyMapping(id, this.edits, this.#random);
    this.#history.begin(id, mapping);
    const { version } = await this.#acknowledged(
      this.#administrator.put(mapping, this.#versions.get(id)),
    );
    this.#versions.set(id, version);
  }

  async #remove(id: string): Promise<void> {
    this.#history.begin(id, undefined);
    await this.#acknowledged(this.#administrator.remove(id, this.#versions.get(id) ?? 0));
    this.#versions.delete(id);
  }

  async #freeze(): Promise<void> {
    const thing = anyFreeze(this.#random);
    const key = JSON.stringify(thing);
    this.freezes += 1;
    this.#history.begin(key, { id: key, ...thing, effect: 'deny', owner: 'freeze' });
    const { id } = await this.#acknowledged(this.#administrator.freeze(thing));
    this.#frozen.set(key, id);
  }

  async #lift(key: string): Promise<void> {
    this.#history.begin(key, undefined);
    await this.#acknowledged(this.#administrator.lift(this.#frozen.get(key) ?? ''));
    this.#frozen.delete(key);
  }

  async #acknowledged(edit: ReturnType<Administrator['lift']>) {
    const edited = await edit;
    if (!edited.inForce) throw new Error('an edit was acknowledged before it was in force');
    this.#history.acknowledge();
    return edited;
  }
}

const callerPolicies = ['s3:GetObject', 's3:PutObject'].map((Action) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action, Resource: '*' }],
  }),
);

function isThat({ mapping, role, durationSeconds, policy }: Due, issued: Issued): boolean {
  const named = mapping.session?.name?.startsWith('{mapping}.') !== true;
  return (
    role === issued.role &&
    durationSeconds === issued.durationSeconds &&
    policy === issued.policy &&
    (named || issued.sessionName.startsWith(`${mapping.id}.`))
  );
}

/** What differs from one token of the same kind to the next. */
const ofOneToken = ['exp', 'iat', 'jti', 'auth_time', 'origin_jti', 'event_id'];

/** A session is its caller's in all that an account may ask a token about. */
function isMadeOf({ claims }: Issued, token: string): boolean {
  const lasting = (all: object) =>
    JSON.stringify(
      Object.entries(all)
        .filter(([name]) => !ofOneToken.includes(name))
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  return lasting(claims) === lasting(claimsIn(token));
}
