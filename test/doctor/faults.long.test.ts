/** `token-broker doctor` names each fault that is made on the local stack, with a cure that mends it when it is followed. */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { bad, type DoctorWorld, startDoctorWorld } from './doctor-world.ts';
import { type Fault, faults } from './faults.ts';

let world: DoctorWorld;
beforeAll(async () => {
  world = await startDoctorWorld();
});
afterAll(() => world.stop());
beforeEach(() => world.reset());

const cases = Object.entries(faults).flatMap(([check, made]) =>
  made.map((fault: Fault, index): [string, string, Fault] => [check, `${index + 1}`, fault]),
);

describe('a fault that', () => {
  it.each(cases)(
    '%s is to name, number %s, is named and its cure mends it',
    async (check, _, fault) => {
      const { names, status = 'fail', args = [], words } = fault;
      await fault.make(world);
      const before = await world.report(...args);
      const named = before.findings.filter(
        (one) => one.check === check && one.status === status && names.test(one.detail),
      );
      if (named.length === 0) throw new Error(JSON.stringify(bad(before.findings), null, 1));
      expect(before.code).toBe(before.counts.fail > 0 ? 1 : 2);
      // Several roles may have the same fault, each with a cure of its own.
      const cure = named.flatMap((one) => one.cure ?? []);
      if (words === undefined && status === 'fail') {
        expect(await world.follow(cure)).toBeGreaterThan(0);
      } else if (words !== undefined) {
        expect(cure.join('\n')).toMatch(words.say);
        words.mend(world);
      } else {
        return;
      }
      const after = await world.report(...args);
      expect(bad(after.findings).filter((one) => one.check === check)).toEqual([]);
    },
  );
});
