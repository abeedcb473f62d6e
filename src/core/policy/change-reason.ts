/** Why somebody changed a mapping: kept in its history, shown to people later. */

/** Letters, marks, numbers, punctuation, symbols and spaces, and nothing that changes how text is shown. */
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]{1,500}$/u;

export function isChangeReason(text: string): boolean {
  return printable.test(text);
}
