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

  async #edit(
    method: string,
    path: string,
    {
      body,
      headers,
    }: { readonly body?: object; readonly headers?: Readonly<Record<string, string>> },
  ): Promise<Edited> {
    this.#token ||= this.#world.service('operator').token;
    const sentAt = performance.now();
    const answer = await fetch(`${this.#url()}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        'content-type': 'application/json',
        'change-reason': 'fault laboratory',
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    await allRead();
    const { code, id, version, inForce } = JSON.parse(text) as Edited & { readonly code?: string };
    if (unchanged.has(code ?? '')) throw new EditRefused(code);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return { id, version, inForce, sentAt, acknowledgedAt: performance.now() };
  }
}

function matching(version: number) {
  return { 'if-match': `"${version}"` };
}

/** What was sent earlier over another connection may still wait to be read: two turns read every socket. */
async function allRead(): Promise<void> {
  for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
