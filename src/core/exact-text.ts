/** Text that is compared letter by letter, in forms in which nothing has two spellings. */

import { z } from 'zod';

/** Printable ASCII. */
export const asciiNamePattern = /^[\x21-\x7e]{1,128}$/;
export const asciiName = z
  .string()
  .regex(asciiNamePattern, 'must be 1 to 128 printable ASCII characters');

/** Callers bring text in this form only: in another one a name would match nobody, and a deny would be void. */
export function isNormalized(text: string): boolean {
  return text === text.normalize('NFC');
}

export const notNormalized = 'must be in Unicode normalization form C';
