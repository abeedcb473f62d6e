/** Edits of role mappings by the admin API: what was read, what is wanted, and why. */

import { type ApiAnswer, callApi, readPages } from './api.ts';
import type { CurrentMapping, EditAnswer, PageOfMappings, VersionPage } from './documents.ts';
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

export function readMapping(id: string): Promise<ApiAnswer<CurrentMapping>> {
  return callApi<CurrentMapping>(pathOf(id));
}

/** Newest first; `cursor`: of the page before. */
export async function readVersions(id: string, cursor?: string): Promise<VersionPage> {
  const next = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
  return (await callApi<VersionPage>(`${pathOf(id)}/versions?limit=50${next}`)).document;
}

/** Page after page; `onPage` gets each as it comes. */
export async function readAllMappings(
  onPage: (page: PageOfMappings) => void,
  isWanted: () => boolean,
): Promise<void> {
  await readPages<PageOfMappings>('/v1/role-mappings?limit=200', (page) => {
    if (!isWanted()) return false;
    onPage(page);
    // It may be enough by now.
    return isWanted();
  });
}

/** Header fields are bytes: those of UTF-8, each as the character of its number. */
export function reasonHeader(reason: string): Readonly<Record<string, string>> {
  const bytes = new TextEncoder().encode(reason.trim());
  return { 'change-reason': String.fromCharCode(...bytes) };
}

function pathOf(id: string): `/v1/role-mappings/${string}` {
  return `/v1/role-mappings/${encodeURIComponent(id)}`;
}
