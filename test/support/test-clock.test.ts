import { describe, expect, it } from '@jest/globals';
import { createTestClock } from './test-clock.ts';

describe('test clock', () => {
  it('fires timers in due order, each at its own time, including those set by earlier timers', async () => {
    const clock = createTestClock(1_000);
    const seen: [string, number, number][] = [];
    const see = (name: string) => seen.push([name, clock.now(), clock.monotonic()]);
    clock.after(30, () => see('third'));
    clock.after(10, () => {
      see('first');
      clock.after(5, () => see('second'));
    });
    clock.after(30, () => see('fourth'));
    clock.after(41, () => see('too late'));

    await clock.advance(40);

    expect(seen).toEqual([
      ['first', 1_010, 10],
      ['second', 1_015, 15],
      ['third', 1_030, 30],
      ['fourth', 1_030, 30],
    ]);
    expect(clock.now()).toBe(1_040);
  });

  it('lets promises started by one timer settle before the next timer fires', async () => {
    const clock = createTestClock();
    const seen: string[] = [];
    clock.after(1, () => void Promise.resolve().then(() => seen.push('settled')));
    clock.after(2, () => seen.push('next timer'));

    await clock.advance(2);

    expect(seen).toEqual(['settled', 'next timer']);
  });

  it('never fires a cancelled timer and refuses to go backwards', async () => {
    const clock = createTestClock();
    let fired = false;
    const timer = clock.after(1, () => {
      fired = true;
    });
    timer.cancel();
    timer.cancel();

    await clock.advance(10);

    expect(fired).toBe(false);
    expect(() => clock.advance(-1)).toThrow(RangeError);
  });

  it('passes no deadline while the work that it is for goes on, however long that takes', async () => {
    const clock = createTestClock();
    const deadline = clock.deadline(10);
    let late = false;
    clock.after(11, () => {
      late = true;
    });

    const advanced = clock.advance(20);
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect([clock.monotonic(), late, deadline.signal.aborted]).toEqual([0, false, false]);
    deadline.release();
    await advanced;

    expect([clock.monotonic(), late, deadline.signal.aborted]).toEqual([20, true, false]);
  });

  it('expires the deadlines that run, and waits for one if there is none yet', async () => {
    const clock = createTestClock();
    const expired = clock.expireDeadlines();
    await new Promise((resolve) => setImmediate(resolve));
    const [short, long] = [clock.deadline(10), clock.deadline(20)];

    await expired;

    expect([short.signal.aborted, long.signal.aborted, clock.monotonic()]).toEqual([
      true,
      true,
      20,
    ]);
    expect(clock.deadlines).toBe(0);
  });
});
