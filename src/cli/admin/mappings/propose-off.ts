/** What a review found unused, as edits that wait for a second administrator. */

import { isDeepStrictEqual } from 'node:util';
import { isManagedByGit } from '../../../core/policy/managed-by-git.ts';
import { type RoleMapping, roleMappingSchema } from '../../../core/policy/role-mapping.ts';
import { editResult, mappingVersion } from '../admin-answers.ts';
import { type AdminApi, AdminApiError } from '../admin-api.ts';
import { reasonHeader } from '../edit.ts';
import { documentOf } from './versions.ts';

export interface ProposedOff {
  readonly mapping: string;
  /** Its id; or why there is none. */
  readonly proposal?: string;
  readonly why?: string;
}

/**
 * Proposes `enabled: false`, each for itself. Only what was reviewed is proposed: a mapping that says something else by now, or that Git
 * manages, is left alone.
 *
 * @throws AdminApiError where a broker refuses one; UsageError
 */
export async function* proposeOff(
  mappings: readonly RoleMapping[],
  { api, reason }: { readonly api: AdminApi; readonly reason: string },
): AsyncGenerator<ProposedOff> {
  const headers = reasonHeader({ reason });
  for (const mapping of mappings) {
    const { id } = mapping;
    const found = await current(api, mapping);
    if (typeof found === 'string') {
      yield { mapping: id, why: found };
      continue;
    }
    const { answer } = await api.ask({
      method: 'PUT',
      path: `/v1/role-mappings/${id}`,
      query: { propose: 'true' },
      headers: { ...headers, 'if-match': found.etag },
      body: { ...found.document, enabled: false },
      answer: editResult,
    });
    yield { mapping: id, proposal: answer.proposal?.id ?? '' };
  }
}

interface Current {
  readonly etag: string;
  readonly document: RoleMapping;
}

/** A text says why it is left alone. */
async function current(api: AdminApi, reviewed: RoleMapping): Promise<Current | string> {
  const { id } = reviewed;
  try {
    const { answer, etag = '' } = await api.ask({
      path: `/v1/role-mappings/${id}`,
      answer: mappingVersion,
    });
    const { data: document } = roleMappingSchema.safeParse(documentOf(answer));
    if (isManagedByGit(document))
      return 'Git manages it: write it with --write, and open a pull request';
    const managedBy = reviewed.managedBy;
    if (document === undefined || !isDeepStrictEqual({ ...document, managedBy }, reviewed))
      return 'the broker has another version of it than the file: export the mappings and review again';
    return { etag, document };
  } catch (error) {
    if (error instanceof AdminApiError && error.status === 404)
      return 'the broker has none of that id';
    throw error;
  }
}
