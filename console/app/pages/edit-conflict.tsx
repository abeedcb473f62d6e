/** Somebody else was faster: what they made of it, what was written here, and how to go on. */

import { jsonDifference } from '../json-difference.ts';
import { readMapping } from '../mapping-edits.ts';
import { instantWords } from '../mapping-words.ts';
import { Changes } from '../parts/changes.tsx';
import { Loaded, useLoad } from '../parts/loading.tsx';
import { Actor, Reason } from '../parts/said.tsx';
import { type Draft, draftOf } from './edit-draft.ts';

interface ConflictProps {
  readonly id: string;
  readonly draft: Draft;
  readonly wanted: unknown;
  readonly onDraft: (draft: Draft) => void;
}

export function Conflict({ id, draft, wanted, onDraft }: ConflictProps) {
  const load = useLoad(() => readMapping(id), [id, draft.base]);
  return (
    <section class="note bad" role="alert">
      <h2>Somebody else has changed it</h2>
      <Loaded load={load}>
        {({ document, etag }) => (
          <>
            <p>
              Version {document.version} was written on {instantWords(document.updatedAt)} by{' '}
              <Actor named={document.updatedBy} />
              <Reason text={document.reason} />
            </p>
            <Changes
              changes={jsonDifference(draft.read, document.mapping ?? undefined)}
              caption="What they changed since it was read here"
            />
            <Changes changes={jsonDifference(draft.read, wanted)} caption="What was changed here" />
            <div class="row">
              <button type="button" onClick={() => onDraft(draftOf(document, etag))}>
                Take theirs, and begin anew
              </button>
              <button
                type="button"
                onClick={() =>
                  onDraft({ base: etag, read: document.mapping ?? undefined, text: draft.text })
                }
              >
                Keep what was written here, in the place of theirs
              </button>
            </div>
          </>
        )}
      </Loaded>
    </section>
  );
}
