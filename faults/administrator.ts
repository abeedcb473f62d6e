/** Edits of the policy through the admin listener of a broker, as the operator of the laboratory's world. */

import { performance } from 'node:perf_hooks';
import type { RoleMappingInput } from '../src/core/policy/role-mapping.ts';
import { pool, type World } from './world.ts';

/** The section of a broker's configuration that makes the operator an administrator. */
export function adminSection(world: World) {
  return { pool, clients: [world.service('operator').subject], machines: true };
}

export interface Edited {
  readonly id: string;
  readonly version: number;
  /** In force on this instance when it was answered. */
  readonly inForce: boolean;
  /** Monotonic milliseconds. */
  readonly sentAt: number;
  /** Monotonic milliseconds; what the broker had sent before its answer has been read by then. */
  readonly acknowledgedAt: number;
}

/** Nothing was changed. */
export class EditRefused extends Error {}

/** Said before anything is written. */
const unchanged: ReadonlySet<string> = new Set([
  'audit_unavailable',
  'change_not_sealed',
  'overloaded',
]);

/** Of every edit. */
const reason = 'fault laboratory';

interface Content {
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Answer extends Omit<Edited, 'acknowledgedAt'> {
  readonly code?: string;
  readonly proposal?: { readonly id: string };
}

export interface FrozenThing {
  readonly principal: RoleMappingInput['principal'];
  readonly role: string;
}

export class Administrator {
  readonly #world: World;
  readonly #url: () => string | undefined;
  #token = '';

  constructor(world: World, url: () => string | undefined) {
    this.#world = world;
    this.#url = url;
  }

  freeze(thing: FrozenThing): Promise<Edited> {
    return this.#edit('POST', '/v1/freezes', { body: thing });
  }

  lift(id: string): Promise<Edited> {
    return this.#edit('DELETE', `/v1/freezes/${id}`, {});
  }

  /** `version` is the one that it replaces. */
  put(mapping: RoleMappingInput, version: number | undefined): Promise<Edited> {
    const headers = version === undefined ? { 'if-none-match': '*' } : matching(version);
    return this.#edit('PUT', `/v1/role-mappings/${mapping.id}`, { body: mapping, headers });
  }

  remove(id: string, version: number): Promise<Edited> {
    return this.#edit('DELETE', `/v1/role-mappings/${id}`, { headers: matching(version) });
  }

  /** A new mapping that waits for a second administrator. @returns the id of the proposal */
  async propose(mapping: RoleMappingInput): Promise<string> {
    const path = `/v1/role-mappings/${mapping.id}?propose=true`;
    const headers = { 'if-none-match': '*' };
    const { proposal } = await this.#send('PUT', path, { body: mapping, headers });
    if (proposal === undefined) throw new Error(`${mapping.id} was not proposed`);
    return proposal.id;
  }

  async withdraw(proposal: string): Promise<void> {
    await this.#send('POST', `/v1/proposals/${proposal}/withdraw`, { body: { reason } });
  }

  async #edit(method: string, path: string, content: Content): Promise<Edited> {
    const { id, version, inForce, sentAt } = await this.#send(method, path, content);
    return { id, version, inForce, sentAt, acknowledgedAt: performance.now() };
  }

  async #send(method: string, path: string, { body, headers }: Content): Promise<Answer> {
    this.#token ||= this.#world.service('operator').token;
    const sentAt = performance.now();
    const answer = await fetch(`${this.#url()}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        'content-type': 'application/json',
        'change-reason': reason,
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    await allRead();
    const document = { ...(JSON.parse(text) as Omit<Answer, 'sentAt'>), sentAt };
    if (unchanged.has(document.code ?? '')) throw new EditRefused(document.code);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return document;
  }
}

function matching(version: number) {
  return { 'if-match': `"${version}"` };
}

/** What was sent earlier over another connection may still wait to be read: two turns read every socket. */
async function allRead(): Promise<void> {
  for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
