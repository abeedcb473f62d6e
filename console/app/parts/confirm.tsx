/** The last step before something is changed: why, and for what cannot be taken lightly, its name typed once more. */

import { useEffect, useRef, useState } from 'preact/hooks';
import type { ApiProblem } from '../api.ts';
import { useTyped } from '../typed.ts';
import { TextField } from './field.tsx';
import { asProblem, ProblemNote } from './loading.tsx';

interface ConfirmProps {
  /** On the button. */
  readonly what: string;
  /** What tells it from others on its page; default: what is on the button. */
  readonly about?: string;
  /** To be typed; undefined: nothing. */
  readonly typed?: string;
  /** Undefined: it cannot be called off, because nothing was opened. */
  readonly onCancel?: () => void;
  /** What it throws is shown, and can be tried again. */
  readonly onConfirmed: (reason: string) => Promise<void>;
  readonly danger?: boolean;
}

export function Confirm(props: ConfirmProps) {
  const { what, about, typed, onCancel, onConfirmed, danger = true } = props;
  const [reason, setReason] = useTyped(`why ${about ?? what}`, '');
  const [words, setWords] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ApiProblem>();
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    // Whoever opened it goes on here, wherever on the page it has opened.
    if (onCancel === undefined) return;
    form.current?.querySelector('input')?.focus();
    form.current?.scrollIntoView({ block: 'nearest' });
  }, []);
  const ready = reason.trim() !== '' && (typed === undefined || words === typed) && !busy;
  const confirm = (event: Event) => {
    event.preventDefault();
    if (!ready) return;
    setBusy(true);
    setProblem(undefined);
    onConfirmed(reason)
      .catch((error: unknown) => setProblem(asProblem(error)))
      .finally(() => setBusy(false));
  };
  return (
    <form ref={form} onSubmit={confirm}>
      <TextField
        label="Why"
        value={reason}
        onValue={setReason}
        hint="Stays in the history and in the audit log."
      />
      {typed !== undefined && (
        <TextField label={`Type ${typed} to confirm`} value={words} onValue={setWords} />
      )}
      {problem !== undefined && <ProblemNote problem={problem} />}
      <div class="row">
        <button type="submit" class={danger ? 'danger' : 'main'} disabled={!ready}>
          {what}
        </button>
        {onCancel !== undefined && (
          <button type="button" onClick={onCancel}>
            Leave it
          </button>
        )}
      </div>
    </form>
  );
}
