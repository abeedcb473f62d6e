/** What the benchmark has found: each figure with what is demanded of it, for people and for programs. */

import { writeFileSync } from 'node:fs';

const figures = [];

/** `demand` is a bound such as `{ atMost: 2.5 }`; without one the figure is for information. */
export function note(name, value, demand = {}) {
  const { atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = demand;
  figures.push({ name, value, ...demand, met: value >= atLeast && value <= atMost });
}

/** Of an even number of values, the middle of the two in the middle. */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

/** Whether all demands are met. */
export function printFigures() {
  console.log('\nFigures, and what is demanded of them');
  for (const { name, value, atLeast, atMost, met } of figures) {
    const demand =
      atLeast !== undefined
        ? `at least ${atLeast}`
        : atMost !== undefined
          ? `at most ${atMost}`
          : '';
    const verdict = demand === '' ? '' : met ? 'met' : 'missed';
    console.log(
      `  ${name.padEnd(62)} ${rounded(value).padStart(8)}   ${demand.padEnd(14)} ${verdict}`.trimEnd(),
    );
  }
  return figures.every(({ met }) => met);
}

/** For comparing one run with another. */
export function writeFigures(file, about) {
  writeFileSync(file, `${JSON.stringify({ ...about, figures }, undefined, 2)}\n`);
}

function rounded(value) {
  return value.toFixed(value < 10 ? 2 : 0);
}
