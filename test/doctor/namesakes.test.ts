/** Where nobody says whose the credentials are, what has the name of a role may be another account's. */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type DoctorWorld, startDoctorWorld } from './doctor-world.ts';

let world: DoctorWorld;
beforeAll(async () => {
  world = await startDoctorWorld();
});
afterAll(() => world.stop());
beforeEach(() => world.reset());

const elsewhere = 'arn:aws:iam::999999999999:role/broker/orders-writer';

async function of(check: string, role: string) {
  const { findings } = await world.report('--role', role);
  return findings.filter((one) => one.check === check);
}

describe('a role of another account', () => {
  it('does not pass by its namesake where STS does not say whose the credentials are (T370)', async () => {
    world.config['sts'].endpoints[0].endpoint = 'http://127.0.0.1:1';
    world.mappings = world.mappings.map((mapping) =>
      mapping.role === world.roles.orders ? { ...mapping, role: elsewhere } : mapping,
    );
    for (const check of ['session-policy', 'provider', 'trust-policy', 'session-duration']) {
      const found = await of(check, elsewhere);
      expect([check, found]).toEqual([check, [expect.objectContaining({ status: 'unknown' })]]);
    }
  });
});

describe('a session policy', () => {
  it('of a managed policy that is not there fails (T370)', async () => {
    const gone = 'arn:aws:iam::123456789012:policy/gone';
    world.mappings = world.mappings.map((mapping) => ({
      ...mapping,
      session: { ...mapping.session, policyArns: [gone] },
    }));
    expect(await of('session-policy', world.roles.orders)).toMatchObject([
      { status: 'fail', detail: expect.stringContaining(gone) },
    ]);
  });
});
