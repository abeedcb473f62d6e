/**
 * Records what the emergency file says. Its denies count although nothing can be written, so a record that the log
 * does not take now is offered again until it does.
 */

import type { AuditLog } from '../core/ports.ts';
import type { EmergencyFileRecord } from '../core/records/change-records.ts';
import type { Clock, Timer } from '../kit/timing/clock.ts';

const retryMs = 1_000;
/** Somebody edits by hand: more than this is a fault, and each change is in the log of this process, too. */
const maxWaiting = 100;
const maxListed = 50;

export class EmergencyRecords {
  readonly #audit: AuditLog;
  readonly #clock: Clock;
  readonly #waiting: EmergencyFileRecord[] = [];
  #writing: boolean = false;
  #timer: Timer | undefined;

  constructor({ audit, clock }: { readonly audit: AuditLog; readonly clock: Clock }) {
    this.#audit = audit;
    this.#clock = clock;
  }

  add({ denies, tokens, ...facts }: Omit<EmergencyFileRecord, 'type' | 'time' | 'count'>): void {
    this.#waiting.push({
      type: 'emergency_file',
      time: new Date(this.#clock.now()).toISOString(),
      denies: denies.slice(0, maxListed),
      tokens: tokens.slice(0, maxListed),
      count: denies.length + tokens.length,
      ...facts,
    });
    if (this.#waiting.length > maxWaiting) this.#waiting.shift();
    if (!this.#writing) void this.#write();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  async #write(): Promise<void> {
    this.#writing = true;
    try {
      for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
        await this.#audit.record(next);
        if (this.#waiting[0] === next) this.#waiting.shift();
      }
      this.#writing = false;
    } catch {
      // The log reports its failures itself.
      this.#timer = this.#clock.after(retryMs, () => void this.#write());
    }
  }
}
