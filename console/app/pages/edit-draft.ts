/** An edit that is not saved yet. */

import type { MappingVersion, RoleMapping } from '../documents.ts';
import { visibleJson } from '../visible-text.ts';

/** What was read, and what has been made of it. */
export interface Draft {
  /** ETag; undefined: there must be none yet. */
  readonly base: string | undefined;
  readonly read: RoleMapping | undefined;
  readonly text: string;
}

export function draftOf(version: MappingVersion, etag: string | undefined): Draft {
  const { mapping, document } = version;
  return { base: etag, read: mapping ?? undefined, text: visibleJson(mapping ?? document) };
}
