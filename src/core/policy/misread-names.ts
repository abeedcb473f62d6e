/** Names that a reviewer takes for others: letters of several alphabets look alike, and mean different people. */

import { escapePointer } from '../../kit/json/json-pointer.ts';
import type { Fault } from '../fault.ts';
import type { RoleMapping } from './role-mapping.ts';

/** Alphabets with letters that look like Latin ones. */
const lookAlikes = /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}]/u;
const latin = /\p{Script=Latin}/u;

/** Of groups and values of claims: what else names somebody is ASCII. A word that is wholly of another alphabet is somebody's language. */
export function misreadNames({ principal, conditions }: RoleMapping): Fault[] {
  const faults: Fault[] = 'group' in principal ? misread('/principal/group', principal.group) : [];
  for (const [name, values] of Object.entries(conditions.claims ?? {})) {
    for (const [at, value] of values.entries()) {
      if (typeof value !== 'string') continue;
      faults.push(...misread(`/conditions/claims/${escapePointer(name)}/${at}`, value));
    }
  }
  return faults;
}

function misread(pointer: Fault['pointer'], text: string): Fault[] {
  const letter = oddLetter(text);
  if (letter === undefined) return [];
  const code = (letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  const detail = `may be taken for another name: one of its characters is U+${code}, which looks like another one`;
  return [{ pointer, detail }];
}

/** Wide letters, those of mathematics and their like have a plain form; that of another alphabet among Latin ones has none. */
function oddLetter(text: string): string | undefined {
  if (!/[^\x20-\x7e]/.test(text)) return undefined;
  const fancy = [...text].find((character) => character.normalize('NFKC') !== character);
  return fancy ?? (latin.test(text) ? lookAlikes.exec(text)?.[0] : undefined);
}
