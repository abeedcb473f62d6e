/**
 * What a person wrote or is called by, set apart from the words of the console: a reason such as `x, approved by y: z` must
 * not read as if the console said so.
 */

import { isOneself } from '../sign-in/session.ts';

/** On lines of its own, with a border that no text can draw. */
export function Reason({ text }: { readonly text: string }) {
  return <q class="reason">{text}</q>;
}

/** Somebody as the history names them. */
export function Actor({ named }: { readonly named: string }) {
  const name = <code class="name">{named}</code>;
  return isOneself(named) ? <>you ({name})</> : name;
}
