/**
 * IAM's pattern matching: `*` is any run of characters, `?` any one character, all else itself. Linear in the
 * pattern times the text; no regular expression is built.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let at = 0;
  let patternAt = 0;
  let starAt = -1;
  let retryAt = 0;
  while (at < text.length) {
    const expected = pattern[patternAt];
    if (expected === '*') {
      starAt = patternAt++;
      retryAt = at;
    } else if (expected === '?' || expected === text[at]) {
      patternAt++;
      at++;
    } else if (starAt >= 0) {
      // Only the last star needs to take one more character: earlier ones have matched as little as they can.
      patternAt = starAt + 1;
      at = ++retryAt;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(patternAt));
}
