/** Versions of a role mapping, as the commands that look back read them. */

import { mappingVersion, type ReadVersion, versionPage } from '../admin-answers.ts';
import { type AdminApi, AdminApiError } from '../admin-api.ts';

/** Newest first: the last hundred, deletions included. @throws AdminApiError */
async function lastVersions(api: AdminApi, id: string) {
  const query = { limit: '100' };
  return api.ask({ path: `/v1/role-mappings/${id}/versions`, query, answer: versionPage });
}

/** @throws AdminApiError */
export async function versionOf(api: AdminApi, id: string, version: number): Promise<ReadVersion> {
  const path = `/v1/role-mappings/${id}/versions/${version}` as const;
  return (await api.ask({ path, answer: mappingVersion })).answer;
}

/** The newest version, and the one that `number` names; by default the one before. @throws AdminApiError */
export async function newestAnd(api: AdminApi, id: string, number: number | undefined) {
  const [newest, before] = (await lastVersions(api, id)).answer.items;
  if (newest === undefined) throw new AdminApiError(`${id} has no versions.`);
  const other = number === undefined ? before : await versionOf(api, id, number);
  return { newest, other };
}

/** What a version says; nothing if it is a deletion. */
export function documentOf(version: ReadVersion | undefined): unknown {
  return version?.mapping ?? version?.document ?? undefined;
}
