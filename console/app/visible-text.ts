/**
 * Text of policies, claims and names as a person must see it. A name that reads otherwise than it is would be an attack
 * on whoever decides by it, so whatever is invisible or turns the direction of writing is spelled out.
 */

/** Controls, format characters (bidi, zero-width), odd spaces, fillers and variation selectors; line feeds and tabs are seen. */
const unseen =
  /(?![\n\t ])(?:[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Zs}\u115f\u1160\u3164\uffa0]|\u034f|\p{Variation_Selector}|\u17b4|\u17b5)/gu;

/** For reading: `⟨U+202E⟩` in the place of each. */
export function visibleText(text: string): string {
  return text.replaceAll(unseen, (character) => `⟨U+${hex(character.codePointAt(0) ?? 0)}⟩`);
}

/** JSON that can be edited: the same characters as escapes, which mean the same to whoever parses it. */
export function visibleJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll(unseen, (character) =>
    [...Array(character.length).keys()]
      .map((at) => `\\u${hex(character.charCodeAt(at)).toLowerCase()}`)
      .join(''),
  );
}

function hex(code: number): string {
  return code.toString(16).toUpperCase().padStart(4, '0');
}
