/** Edits role mappings through whichever broker has its turn, and knows what the table must hold in the end. */

import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { Administrator, EditRefused } from '../../build/faults/administrator.js';
import { Connection } from '../../build/faults/load.js';
import { mappingOf, pool, roleNamed } from '../../build/faults/world.js';

/** What is promised is five seconds; on a busy machine the poll itself is late. */
const visibleMs = 15_000;
const mostTries = 10;

export class Editor {
  /** Of each release, how many edits went through it. */
  edits = new Map();
  /** Longest time from an acknowledged edit to its effect on every broker. */
  slowestMs = 0;
  /** Edits that were answered 503, which a busy machine's table causes, and sent again. */
  triedAgain = 0;
  #world;
  #fleet;
  #expected = new Map();
  #turn = 0;

  constructor(world, fleet) {
    this.#world = world;
    this.#fleet = fleet;
    for (const mapping of world.mappings) this.#expected.set(mapping.id, { mapping, version: 1 });
    this.made = world.mappings.length;
  }

  get expected() {
    return this.#expected;
  }

  /** One of each kind by a broker of each release that is there, and its effect on all of them. */
  async round(number) {
    const releases = new Set(this.#fleet.inTurn.map(({ release }) => release));
    for (const release of releases) {
      const id = `round-${number}-${release.name.replace(/[^a-z0-9]/g, '-')}`;
      await this.#create(release, id);
      await this.#describe(release, 'other-0');
      await this.#letStrangerIn(release);
    }
  }

  /** Small edits, one after the other, by those that have their turn, until `isOver()`. */
  async until(isOver) {
    while (!isOver()) {
      const { inTurn } = this.#fleet;
      await this.#describe(inTurn[this.#turn % inTurn.length].release, 'other-1');
      await sleep(50);
    }
  }

  async #create(release, id) {
    const mapping = { ...mappingOf(id, 'orders'), principal: { pool, group: `group-${id}` } };
    await this.#put(release, mapping, undefined);
  }

  async #describe(release, id) {
    const { mapping, version } = this.#expected.get(id);
    await this.#put(release, { ...mapping, description: `edit ${this.made}` }, version);
  }

  /** The one edit whose effect anybody can see: a caller without a role gets one, and loses it again. */
  async #letStrangerIn(release) {
    const id = 'late';
    const mapping = {
      ...mappingOf(id, 'stranger'),
      description: `for a moment, by ${release.name}`,
    };
    await this.#put(release, mapping, undefined);
    await this.#everywhere(200);
    const { version: current } = this.#expected.get(id);
    await this.#through(release, id, (administrator) => administrator.remove(id, current));
    this.#expected.delete(id);
    await this.#everywhere(403);
  }

  async #put(release, mapping, version) {
    const made = await this.#through(release, mapping.id, (administrator) =>
      administrator.put(mapping, version),
    );
    this.#expected.set(mapping.id, { mapping, version: made });
  }

  /** The version that the mapping has then. Who is answered 503 looks whether the edit was made, and tries again if not. */
  async #through(release, id, edit) {
    const before = (await this.#world.table.get(id))?.version;
    for (let tries = 1; ; tries += 1) {
      const brokers = this.#fleet.inTurn.filter((broker) => broker.release === release);
      this.#turn += 1;
      const { urls } = brokers[this.#turn % brokers.length];
      try {
        const { version } = await edit(new Administrator(this.#world, () => urls.admin));
        return this.#counted(release, version);
      } catch (error) {
        const isBusy = error instanceof EditRefused || /: 503 /.test(error.message);
        if (!isBusy || tries === mostTries) throw error;
        this.triedAgain += 1;
        await sleep(1_000);
        const now = (await this.#world.table.get(id))?.version;
        if (now !== before) return this.#counted(release, now);
      }
    }
  }

  #counted(release, version) {
    this.made += 1;
    this.edits.set(release.name, (this.edits.get(release.name) ?? 0) + 1);
    return version;
  }

  async #everywhere(status) {
    const startedAt = performance.now();
    const caller = this.#world.service('stranger');
    for (const { urls, release } of this.#fleet.inTurn) {
      const connection = new Connection(urls.api);
      let answer;
      do {
        answer = await connection.ask({ caller, role: roleNamed('late') });
        if (answer.status !== status) await sleep(20);
      } while (answer.status !== status && performance.now() - startedAt < visibleMs);
      connection.close();
      assert.equal(answer.status, status, `${release.name} has not seen the edit: ${answer.code}`);
    }
    this.slowestMs = Math.max(this.slowestMs, performance.now() - startedAt);
  }
}
