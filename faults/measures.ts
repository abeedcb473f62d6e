/** What is read off a set of answers. */

import type { LoadAnswer } from './load.ts';

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

/** How many of each kind of answer, as JSON: `200`, `503 sts_unavailable`, `broken`. */
export function tally(answers: readonly LoadAnswer[]): string {
  const counts: Record<string, number> = {};
  for (const answer of answers) count(counts, answer);
  return JSON.stringify(counts);
}

/** One more of its kind. */
export function count(counts: Record<string, number>, { status, code }: LoadAnswer): void {
  const kind = status === 0 ? 'broken' : [status, code].filter(Boolean).join(' ');
  counts[kind] = (counts[kind] ?? 0) + 1;
}

export function failures(answers: readonly LoadAnswer[]): readonly LoadAnswer[] {
  return answers.filter(({ status }) => status !== 200);
}

export function percentile(answers: readonly LoadAnswer[], fraction: number): number {
  const sorted = answers.map(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? 0;
}

export function slowest(answers: readonly LoadAnswer[]): number {
  return answers.reduce((longest, { ms }) => Math.max(longest, ms), 0);
}
