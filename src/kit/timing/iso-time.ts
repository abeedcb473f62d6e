let printedMs = Number.NaN;
let printed = '';

/** Epoch milliseconds → RFC 3339 in UTC with milliseconds. What is asked for the same millisecond again has its text ready. */
export function isoTime(epochMs: number): string {
  if (epochMs !== printedMs) {
    printed = new Date(epochMs).toISOString();
    printedMs = epochMs;
  }
  return printed;
}
