import { EventEmitter, once } from 'node:events';
import type { PolicyTable } from '../../src/dynamodb/policy-steps.ts';
import { forwardingTable } from './forwarding-table.ts';
import type { SyncProbe } from './sync-probe.ts';

export interface HeldLoads {
  readonly table: PolicyTable;
  /** Resolves once the first complete read is done, and held. */
  readonly loaded: Promise<unknown>;
  /** Lets it, and all later ones, go on. */
  readonly release: () => void;
}

/** The same table, where the answer of a complete read takes its time: edits and polls go on meanwhile. */
export function heldLoads(real: PolicyTable): HeldLoads {
  const loads = new EventEmitter();
  const loaded = once(loads, 'loaded');
  const released = once(loads, 'released');
  const table = forwardingTable(() => real, {
    async loadAll(options) {
      const result = await real.loadAll(options);
      loads.emit('loaded');
      await released;
      return result;
    },
  });
  return { table, loaded, release: () => void loads.emit('released') };
}

/** Whether something was ever so, in any policy that was in force, since held loads went on and for some polls more. */
export async function wasEverAfter(
  { release }: HeldLoads,
  probe: SyncProbe,
  isSo: () => boolean,
): Promise<boolean> {
  let was = false;
  void probe.until(() => {
    was ||= isSo();
    return was;
  });
  release();
  for (let poll = 0; poll < 5; poll += 1) await probe.tick();
  return was;
}
