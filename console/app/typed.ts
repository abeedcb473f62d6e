/**
 * What somebody has typed and not sent. When their sign-in ends meanwhile, it is kept for the way to the sign-in and back:
 * in this tab's session storage, taken out once, and given back to the same person alone. What may hold a token
 * or a secret is not typed by this.
 */

import { useEffect, useRef, useState } from 'preact/hooks';
import { place } from './router.ts';
import { session } from './sign-in/session.ts';

export interface Typed {
  /** `sub` of whoever typed it. */
  readonly by: string;
  readonly values: readonly (readonly [key: string, value: unknown])[];
}

const values = new Map<string, unknown>();
let by = '';

/** Like `useState`, for what can be written as JSON; `name` is one of a kind on its page. */
export function useTyped<Value>(
  name: string,
  initial: Value,
): readonly [Value, (next: Value | ((before: Value) => Value)) => void] {
  const [key] = useState(() => JSON.stringify([place.value.segments, name]));
  const [value, setValue] = useState<Value>(() =>
    values.has(key) ? (values.get(key) as Value) : initial,
  );
  const latest = useRef(value);
  useEffect(
    () => () => {
      // Whoever goes elsewhere, or is done, has no need of it.
      if (session.value.kind === 'signed_in') values.delete(key);
    },
    [key],
  );
  const set = (next: Value | ((before: Value) => Value)) => {
    if (session.value.kind === 'signed_in') by = session.value.who.subject;
    // Of what was drawn last, something may have been typed since.
    latest.current = next instanceof Function ? next(latest.current) : next;
    values.set(key, latest.current);
    setValue(latest.current);
  };
  return [value, set];
}

export function forgetTyped(): void {
  values.clear();
}

/** Undefined: there is nothing. */
export function takeTyped(): Typed | undefined {
  return values.size === 0 ? undefined : { by, values: [...values] };
}

/** On the way back; it stays here while the sign-in does not succeed. */
export function holdTyped(typed: Typed | undefined): void {
  if (typed === undefined) return;
  by = typed.by;
  for (const [key, value] of typed.values) values.set(key, value);
}

/** Nobody gets what somebody else has typed. */
export function giveTypedTo(subject: string): void {
  if (by !== subject) forgetTyped();
}
