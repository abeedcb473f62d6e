/** A table whose changes are sealed: somebody alters a row without the key, then the key is away. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { startKmsServer } from '../../emulators/kms/kms-server.ts';
import { readAnchor, unprovenSeal } from '../../src/dynamodb/seal-anchor.ts';
import { Administrator, adminSection, EditRefused } from '../administrator.ts';
import { startFront } from '../front.ts';
import type { Lab } from '../lab.ts';
import { pause } from '../load.ts';
import { failures, seconds, tally } from '../measures.ts';
import type { Outcome, Row, RowContext } from '../row.ts';
import { mappingOf, region, roleNamed, tableName, type World } from '../world.ts';
import { editRow, labMappings, putHead, soon } from './table.ts';

const signTimeoutMs = 1_500;
const alarm = 'tokenbroker_policy_alarm_active{kind="seal_broken"}';

export const tableSealRows: readonly Row[] = [
  {
    id: 'table-sealed',
    fault:
      'somebody who may write all of the table, and not use the key that seals changes, alters a row with all that belongs to such an edit; later KMS, which has the key, refuses connections',
    promise:
      'What is not sealed is not in force, and nothing is sealed after it. Without the key the policy goes on as it is, also for a broker that starts.',
    demanded:
      '0 grants by the altered row, alarm `seal_broken`, the next edit refused; without the key: an edit and a freeze 503 `change_not_sealed` within 1.8 s, a broker that starts serves; 0 errors for callers; edits again within 5 s after each',
    operators:
      '`tokenbroker_policy_alarm_active{kind="seal_broken"}` is 1; callers notice nothing for `policy.maxAgeSeconds`. See [operations.md](operations.md#tokenbrokertabletampered). While KMS is away nobody can edit or freeze: the emergency file counts all the same.',
    run: sealed,
  },
];

async function sealed({ lab: newLab, pick, atMost }: RowContext): Promise<Outcome> {
  const kms = await startKmsServer('p256');
  const front = await startFront({ upstream: kms.endpoint });
  try {
    let anchor: ReturnType<typeof anchorOf> | undefined;
    const lab = await newLab({
      config: async (world, directory) => {
        anchor ??= anchorOf(world);
        const publicKey = join(directory, 'seal.pub');
        writeFileSync(publicKey, kms.publicKey.export({ type: 'spki', format: 'pem' }));
        const seal = {
          publicKeyFiles: [publicKey],
          kms: { keyId: front.url, region, endpoint: front.url },
          anchor: await anchor,
          signTimeoutMs,
        };
        return { admin: adminSection(world), policy: { seal } };
      },
    });
    const editor = new Editor(lab);
    await editor.untilAccepted();
    const load = lab.load({ connections: 5, perSecond: 100, make: (index) => lab.warm(index) });

    const rows = await lab.world.rowsOf(['reports']);
    const revision = await lab.world.table.head();
    const text = JSON.stringify(mappingOf('reports', 'stranger'));
    await editRow(lab, { id: 'reports', text, version: 2, mappings: labMappings.length + 1 });
    const raised = await soon(async () => (await lab.broker.metric(alarm)) === 1);
    // Allowed nothing else, so that it need not say what it wants.
    const intruder = { ...lab.world.service('stranger'), role: roleNamed('reports') };
    let granted = 0;
    for (let tries = 0; tries < pick(10, 200); tries += 1) {
      granted += (await lab.ask({ caller: intruder })).status === 200 ? 1 : 0;
    }
    const after = await editor.refusal('edit');
    await putHead(lab, revision, labMappings.length + 1);
    await rows.putBack();
    const padded = (value: number, digits: number) => String(value).padStart(digits, '0');
    await lab.world.removeRow('MAPPING#reports', `V#${padded(2, 10)}`);
    await lab.world.removeRow(`CHANGES#${padded(0, 15)}`, padded(revision + 1, 15));
    const repairedMs = await editor.untilAccepted();

    await front.setFault({ kind: 'refuse' });
    const edit = await editor.refusal('edit');
    const freeze = await editor.refusal('freeze');
    await lab.startBroker('-started');
    const started = await lab.load({
      connections: 5,
      limit: pick(20, 500),
      make: (index) => lab.warm(index),
    }).ended;
    await front.setFault();
    const againMs = await editor.untilAccepted();
    const answers = [...(await load.stop()), ...started];
    const errors = failures(answers).length;
    const served = started.length - failures(started).length;
    return {
      seen: `${raised ? 'alarm raised' : 'NO ALARM'}, ${granted} grants by the altered row, the next edit: ${after.code}; edits again ${seconds(repairedMs)} after the row was put right; without the key: an edit ${edit.code} after ${seconds(edit.tookMs)}, a freeze ${freeze.code} after ${seconds(freeze.tookMs)}, a broker that started then served ${served} of ${started.length}; edits again ${seconds(againMs)} after; ${errors} errors of ${answers.length}`,
      met:
        raised &&
        granted === 0 &&
        [after, edit, freeze].every(({ code }) => code === 'change_not_sealed') &&
        [edit, freeze].every(({ tookMs }) => atMost(tookMs, 1_800)) &&
        [repairedMs, againMs].every((tookMs) => atMost(tookMs, 5_000)) &&
        errors === 0,
      notes: tally(answers),
    };
  } finally {
    await Promise.all([front.stop(), kms.stop()]);
  }
}

/** Of what the table has before anything is sealed. */
async function anchorOf({ table }: World) {
  const found = await readAnchor(table, await table.loadAll(), unprovenSeal(tableName));
  if (found.kind !== 'found') throw new Error(`no anchor: ${found.kind}`);
  return { revision: found.anchor.revision, chain: found.anchor.digest };
}

class Editor {
  readonly #administrator: Administrator;
  #version: number | undefined;
  #edits = 0;

  constructor(lab: Lab) {
    this.#administrator = new Administrator(lab.world, () => lab.broker.urls.admin);
  }

  /** Milliseconds until an edit is made. */
  async untilAccepted(): Promise<number> {
    const startedAt = performance.now();
    for (;;) {
      const refused = await this.#refusedEdit();
      const tookMs = performance.now() - startedAt;
      if (refused === undefined) return tookMs;
      if (tookMs > 30_000) throw new Error(`no edit is made: ${refused}`);
      await pause(50);
    }
  }

  async refusal(
    how: 'edit' | 'freeze',
  ): Promise<{ readonly code: string; readonly tookMs: number }> {
    const startedAt = performance.now();
    const code = await (how === 'edit' ? this.#refusedEdit() : this.#refusedFreeze());
    return { code: code ?? 'was made', tookMs: performance.now() - startedAt };
  }

  #refusedEdit(): Promise<string | undefined> {
    return refusalOf(async () => {
      // What changes nothing is not written.
      this.#edits += 1;
      const description = `edit ${this.#edits}`;
      const mapping = { ...mappingOf('edited', 'orders'), description };
      this.#version = (await this.#administrator.put(mapping, this.#version)).version;
    });
  }

  #refusedFreeze(): Promise<string | undefined> {
    const { principal, role } = mappingOf('edited', 'orders');
    return refusalOf(async () => void (await this.#administrator.freeze({ principal, role })));
  }
}

async function refusalOf(edit: () => Promise<void>): Promise<string | undefined> {
  try {
    await edit();
    return undefined;
  } catch (error) {
    if (error instanceof EditRefused) return error.message;
    throw error;
  }
}
