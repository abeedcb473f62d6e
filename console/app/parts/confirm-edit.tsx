/** The last step before an edit, after its dry run: where it would wait for a second administrator, that is said before. */

import type { ComponentChildren } from 'preact';
import type { EditAnswer } from '../documents.ts';
import { goneToProposal } from '../mapping-edits.ts';
import { Confirm } from './confirm.tsx';
import { Loaded, useLoad } from './loading.tsx';

interface ConfirmEditProps<Answer extends EditAnswer> {
  /** On the button, in the imperative. */
  readonly what: string;
  /** As for Confirm. */
  readonly about?: string;
  readonly typed?: string;
  readonly edit: (reason: string, dryRun: boolean) => Promise<Answer>;
  /** The dry run is asked for anew when one of them changes. */
  readonly inputs: readonly unknown[];
  /** What the dry run tells besides. */
  readonly preview?: (answer: Answer) => ComponentChildren;
  readonly onCancel: () => void;
  /** It is written; a proposal is gone to instead. */
  readonly onDone: () => void;
}

export function ConfirmEdit<Answer extends EditAnswer>(props: ConfirmEditProps<Answer>) {
  const { what, about = what, typed, edit, inputs, preview, onCancel, onDone } = props;
  const check = useLoad(() => edit(`looks at what it would do: ${what}`, true), inputs);
  return (
    <>
      <Loaded load={check}>
        {(answer) => {
          const waits = answer.needsApproval === true;
          return (
            <>
              {preview?.(answer)}
              {waits && (
                <p class="note warn">
                  This needs a second administrator: it waits as a proposal, and nothing is changed
                  until they approve it.
                </p>
              )}
              <Confirm
                what={waits ? proposed(what) : what}
                about={about}
                {...(typed === undefined ? {} : { typed })}
                danger={!waits}
                onCancel={onCancel}
                onConfirmed={async (reason) => {
                  if (!goneToProposal(await edit(reason, false))) onDone();
                }}
              />
            </>
          );
        }}
      </Loaded>
      {check.state.kind === 'failed' && (
        <button type="button" onClick={onCancel}>
          Leave it
        </button>
      )}
    </>
  );
}

function proposed(what: string): string {
  return `Propose to ${what.charAt(0).toLowerCase()}${what.slice(1)}`;
}
