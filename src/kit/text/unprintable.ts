/**
 * Control and format characters, line and paragraph separators, and what stands for no character: a terminal obeys them, or
 * nobody sees them. Line feeds are among them, and whatever looks like nothing or like a space and is none: of two names
 * that a reviewer cannot tell apart, one is not who they think (T376).
 */
export const unprintable =
  /(?! )[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Zs}\p{Cs}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}\u2800]/u;
