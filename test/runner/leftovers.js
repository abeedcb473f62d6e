/** What a test file must not leave behind: it would be there for the next one, or keep the worker from ending. */

import { setTimeout as pause } from 'node:timers/promises';

/** A stop that has been asked for may still be under way. */
const patienceMs = 5_000;

export function whatIsOpen() {
  return { resources: openResources(), environment: { ...process.env } };
}

/** In words, or undefined. What was changed in the environment is put back. */
export async function whatWasLeft({ resources, environment }) {
  const changed = Object.keys({ ...environment, ...process.env }).filter(
    (name) => environment[name] !== process.env[name],
  );
  for (const name of changed) delete process.env[name];
  Object.assign(process.env, environment);

  const deadline = performance.now() + patienceMs;
  let open = more(openResources(), resources);
  while (open.length > 0 && performance.now() < deadline) {
    await pause(10, undefined, { ref: false });
    open = more(openResources(), resources);
  }
  const left = [...open, ...changed.map((name) => `another value of ${name} in the environment`)];
  if (left.length === 0) return undefined;
  return `This file leaves behind: ${left.join(', ')}. Close what the tests open, in afterEach or afterAll.`;
}

/** Number of things by kind that keep the process alive. */
function openResources() {
  const counts = new Map();
  for (const kind of process.getActiveResourcesInfo())
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

function more(now, before) {
  return [...now]
    .map(([kind, count]) => [kind, count - (before.get(kind) ?? 0)])
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${count} ${kind}`);
}
