/**
 * Control and format characters, line and paragraph separators, and what stands for no character: a terminal obeys them, or
 * nobody sees them. Line feeds are among them.
 */
export const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/u;
