import type { Claims, ClaimValue } from '../core/claim-value.ts';

/** Most callers have no claims but these two: a map of two takes four times as much, for as long as a token is remembered. */
export class CallerClaims implements Claims {
  readonly #subject: string;
  readonly #clientId: string | undefined;
  readonly #others: ReadonlyMap<string, ClaimValue> | undefined;

  constructor(
    subject: string,
    clientId: string | undefined,
    others: ReadonlyMap<string, ClaimValue>,
  ) {
    this.#subject = subject;
    this.#clientId = clientId;
    this.#others = others.size === 0 ? undefined : others;
  }

  /** A claim of one of the two names cannot stand in for the checked one. */
  get(name: string): ClaimValue | undefined {
    if (name === 'sub') return this.#subject;
    if (name === 'client_id') return this.#clientId;
    return this.#others?.get(name);
  }

  *[Symbol.iterator](): Generator<[string, ClaimValue], undefined> {
    for (const claim of this.#others ?? []) if (!checked.has(claim[0])) yield claim;
    yield ['sub', this.#subject];
    if (this.#clientId !== undefined) yield ['client_id', this.#clientId];
  }
}

const checked: ReadonlySet<string> = new Set(['sub', 'client_id']);
