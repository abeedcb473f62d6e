/** What is read off a set of answers. */

import type { Answer } from './load.ts';

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

/** How many of each kind of answer: `200`, `503 sts_unavailable`, `broken`. */
export function tally(answers: readonly Answer[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { status, code } of answers) {
    const kind = status === 0 ? 'broken' : [status, code].filter(Boolean).join(' ');
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

export function failures(answers: readonly Answer[]): readonly Answer[] {
  return answers.filter(({ status }) => status !== 200);
}

export function percentile(answers: readonly Answer[], fraction: number): number {
  const sorted = answers.map(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? 0;
}

export function slowest(answers: readonly Answer[]): number {
  return answers.reduce((longest, { ms }) => Math.max(longest, ms), 0);
}
