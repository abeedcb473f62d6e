/** Edits of role mappings by the admin API: what was read, what is wanted, and why. */

import { type ApiAnswer, callApi } from './api.ts';
import type { EditAnswer, MappingPage, MappingVersion } from './documents.ts';
import { goTo, linkTo } from './router.ts';

export interface WantedEdit {
  readonly id: string;
  /** ETag of what was read; undefined if there must be none. */
  readonly base: string | undefined;
  /** Undefined: none, a deletion. */
  readonly document: unknown;
  readonly reason: string;
  readonly dryRun: boolean;
  readonly override: boolean;
}

export function editMapping(edit: WantedEdit): Promise<ApiAnswer<EditAnswer>> {
  const { id, base, document, reason, dryRun, override } = edit;
  const query = new URLSearchParams({
    ...(dryRun ? { dryRun: 'true' } : {}),
    ...(override ? { override: 'true' } : {}),
  }).toString();
  return callApi<EditAnswer>(`${pathOf(id)}${query && `?${query}`}`, {
    method: document === undefined ? 'DELETE' : 'PUT',
    headers: {
      ...(base === undefined ? { 'if-none-match': '*' } : { 'if-match': base }),
      ...reasonHeader(reason),
    },
    ...(document === undefined ? {} : { body: document }),
  });
}

/** Goes to the proposal that the edit has become, if it has: nothing is written then. */
export function goneToProposal({ proposal }: EditAnswer): boolean {
  if (proposal === undefined) return false;
  goTo(linkTo(['approvals', proposal.id]));
  return true;
}

export function readMapping(id: string): Promise<ApiAnswer<MappingVersion>> {
  return callApi<MappingVersion>(pathOf(id));
}

export function readVersions(
  id: string,
): Promise<ApiAnswer<{ readonly items: readonly MappingVersion[] }>> {
  return callApi(`${pathOf(id)}/versions?limit=50`);
}

/** Page after page; `onPage` gets each as it comes. */
export async function readAllMappings(
  onPage: (page: MappingPage) => void,
  isWanted: () => boolean,
): Promise<void> {
  let cursor: string | undefined;
  do {
    const next: string = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const { document } = await callApi<MappingPage>(`/v1/role-mappings?limit=200${next}`);
    if (!isWanted()) return;
    onPage(document);
    cursor = document.nextCursor;
  } while (cursor !== undefined);
}

/** Header fields are bytes: those of UTF-8, each as the character of its number. */
export function reasonHeader(reason: string): Readonly<Record<string, string>> {
  const bytes = new TextEncoder().encode(reason.trim());
  return { 'change-reason': String.fromCharCode(...bytes) };
}

function pathOf(id: string): `/v1/role-mappings/${string}` {
  return `/v1/role-mappings/${encodeURIComponent(id)}`;
}
