/** A row of the table: one fault, what is promised under it, and the run that measures it. */

import { canMount } from './audit-disk.ts';
import { Lab, type LabOptions } from './lab.ts';

export interface Outcome {
  readonly seen: string;
  readonly met: boolean;
  readonly notes?: string;
}

export interface Row {
  readonly id: string;
  readonly fault: string;
  readonly promise: string;
  /** The figure demanded. */
  readonly demanded: string;
  /** What operators see, what the broker does by itself, and what is left to do. */
  readonly operators: string;
  /** Why it is known to miss its figure. */
  readonly shortfall?: string;
  /** It mounts file systems; where that cannot be done, the row is not run. */
  readonly needsRoot?: boolean;
  readonly run: (context: RowContext) => Promise<Outcome>;
}

export interface RowContext {
  readonly long: boolean;
  /** A lab with these options; without any, one that other rows of a short run share. */
  lab(options?: LabOptions): Promise<Lab>;
  pick<Value>(short: Value, long: Value): Value;
  /** Figures of time: exact in the long form, with room for busy machines in the short one. */
  atMost(seenMs: number, demandedMs: number): boolean;
}

export interface RowResult extends Outcome {
  readonly row: Row;
  /** Invariants that did not hold. */
  readonly violations: readonly string[];
  readonly seconds: number;
}

export function runsHere({ needsRoot = false }: Row): boolean {
  return !needsRoot || canMount();
}

/** How much longer things may take in the short form, which runs beside other tests. */
const shortSlack = 5;

const shortLab = { pollSeconds: 0.2 };
/** Rows about the audit log, or about a process that stands still, have a lab of their own. */
const sharedLab = { ...shortLab, patientWithAudit: true };
/** Of a row that has a lab of its own, for a fault that is not in STS. */
const shortOwnLab = { ...shortLab, patientWithSts: true };
const longLab = { exerciseMs: 5_000 };

/** Keeps the lab that rows of a short run share. */
export class RowRunner {
  readonly #long: boolean;
  #shared: Lab | undefined;

  constructor(options: { readonly long: boolean }) {
    this.#long = options.long;
  }

  async run(row: Row): Promise<RowResult> {
    const startedAt = performance.now();
    const own: Lab[] = [];
    const used = new Set<Lab>();
    const context: RowContext = {
      long: this.#long,
      lab: async (options) => {
        const lab = await this.#lab(options, own);
        used.add(lab);
        return lab;
      },
      pick: (short, long) => (this.#long ? long : short),
      atMost: (seenMs, demandedMs) => seenMs <= demandedMs * (this.#long ? 1 : shortSlack),
    };
    const outcome = await Promise.race([row.run(context), patience(this.#long)]).catch(
      (error: unknown): Outcome => ({
        met: false,
        seen: 'the run broke off',
        notes: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }),
    );
    const violations: string[] = [];
    for (const lab of used) violations.push(...(await lab.violations(this.#long)));
    for (const lab of own) violations.push(...(await lab.stop()));
    const notes = [outcome.notes, ...[...used].flatMap((lab) => lab.takeNotes())];
    return {
      row,
      ...outcome,
      notes: notes.filter((note) => note !== undefined && note !== '').join('; '),
      violations,
      seconds: (performance.now() - startedAt) / 1000,
    };
  }

  /** Ends what the rows shared. */
  async stop(): Promise<void> {
    await this.#shared?.stop();
    this.#shared = undefined;
  }

  async #lab(options: LabOptions | undefined, own: Lab[]): Promise<Lab> {
    if (options === undefined && !this.#long) {
      this.#shared ??= await Lab.start(sharedLab);
      await this.#shared.warmUp();
      return this.#shared;
    }
    const lab = await Lab.start({ ...(this.#long ? longLab : shortOwnLab), ...options });
    own.push(lab);
    return lab;
  }
}

/** Rejects when a row has taken longer than any should. */
function patience(long: boolean): Promise<never> {
  const minutes = long ? 60 : 1;
  return new Promise((_resolve, reject) => {
    setTimeout(() => reject(new Error(`not done after ${minutes} min`)), minutes * 60_000).unref();
  });
}
