import { execFileSync } from 'node:child_process';
import { expect, it } from '@jest/globals';

const timing = new URL('../../../dist/kit/timing/', import.meta.url);

function run(wait: string): string {
  const script = `
    import { systemClock } from '${new URL('clock.js', timing)}';
    import { keepingAlive } from '${new URL('keeping-alive.js', timing)}';
    import { sleep } from '${new URL('sleep.js', timing)}';
    ${wait}
    console.log('slept');`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', script]).toString();
}

it('a process ends only after the work that keeps it alive', () => {
  expect(run('await keepingAlive(sleep(systemClock, 5));')).toBe('slept\n');
});

it('neither a timer nor a deadline of the system clock keeps a process alive', () => {
  const script =
    'systemClock.deadline(60_000); systemClock.after(60_000, () => {}); void sleep(systemClock, 60_000);';
  expect(run(script)).toBe('slept\n');
});
