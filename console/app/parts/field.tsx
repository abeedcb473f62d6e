/** Labelled fields of forms. What cannot be seen in a field is spelled out below it: the field itself must hold it as it is. */

import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import { visibleText } from '../visible-text.ts';

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly hint?: string;
  readonly disabled?: boolean;
}

export function TextField(
  props: FieldProps & {
    readonly type?: 'text' | 'search';
    readonly suggestions?: readonly string[];
  },
) {
  const { label, value, onValue, hint, disabled = false, type = 'text', suggestions = [] } = props;
  const id = useId();
  return (
    <div class="grow">
      <label for={id}>{label}</label>
      <input
        id={id}
        type={type}
        value={value}
        disabled={disabled}
        autocomplete="off"
        spellcheck={false}
        list={suggestions.length > 0 ? `${id}-list` : undefined}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
      {suggestions.length > 0 && (
        <datalist id={`${id}-list`}>
          {suggestions.map((suggestion) => (
            <option key={suggestion} value={suggestion} />
          ))}
        </datalist>
      )}
      <Unseen value={value} />
      <Hint id={`${id}-hint`} text={hint} />
    </div>
  );
}

function Unseen({ value }: { readonly value: string }) {
  if (visibleText(value) === value && !value.includes('\n')) return null;
  return <p class="hint warn">Reads: {visibleText(value).replaceAll('\n', '⟨U+000A⟩')}</p>;
}

export function LongField(props: FieldProps & { readonly rows: number }) {
  const { label, value, onValue, hint, disabled = false, rows } = props;
  const id = useId();
  return (
    <div>
      <label for={id}>{label}</label>
      <textarea
        id={id}
        rows={rows}
        value={value}
        disabled={disabled}
        autocomplete="off"
        spellcheck={false}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
      <Hint id={`${id}-hint`} text={hint} />
    </div>
  );
}

export function ChoiceField({
  label,
  value,
  onValue,
  choices,
}: Omit<FieldProps, 'hint'> & { readonly choices: Readonly<Record<string, string>> }) {
  const id = useId();
  return (
    <div>
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onValue(event.currentTarget.value)}>
        {Object.entries(choices).map(([choice, words]) => (
          <option key={choice} value={choice}>
            {words}
          </option>
        ))}
      </select>
    </div>
  );
}

function Hint({ id, text }: { readonly id: string; readonly text: ComponentChildren | undefined }) {
  return text === undefined ? null : (
    <p class="quiet hint" id={id}>
      {text}
    </p>
  );
}
