/**
 * The same text in one piece and with nothing else behind it: what is added up is a tree of small strings, and what is cut
 * out keeps the whole that it was cut from, each for as long as it is kept itself. Of well-formed text: of a lone surrogate
 * it makes another character.
 */
export function ownText(text: string): string {
  return Buffer.from(text).toString();
}
