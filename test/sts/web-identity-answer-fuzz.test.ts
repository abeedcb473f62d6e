import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BrokerError } from '../../src/core/errors.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { runs } from '../support/fuzz-budget.ts';
import { honestFields, secretCanary, successXml } from '../support/scripted-sts.ts';
import { secretsIn } from '../support/secrets-in.ts';
import { planned } from '../support/session-plans.ts';
import { noRetries, type StsFixture, startStsFixture } from '../support/sts-fixture.ts';

let sts: StsFixture;
beforeAll(async () => {
  sts = await startStsFixture(noRetries);
});
afterAll(() => sts.stop());

/** What becomes of an honest answer on the way: each is a function of the text. */
const damage = fc.oneof(
  fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(200)).map(
    ([at, length]) =>
      (text: string) =>
        text.slice(0, at * text.length) + text.slice(at * text.length + length),
  ),
  fc
    .tuple(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.oneof(
        fc.string({ maxLength: 20 }),
        fc.constantFrom(
          '<',
          '>',
          '&',
          '&#0;',
          '<!DOCTYPE x [<!ENTITY a "aaaa">]>',
          '<Credentials>',
          '</Credentials>',
          '<Arn>arn:aws:sts::123456789012:assumed-role/admin/orders</Arn>',
          '<Expiration>2999-01-01T00:00:00Z</Expiration>',
          '<![CDATA[',
          '\u0000',
        ),
      ),
    )
    .map(
      ([at, insertion]) =>
        (text: string) =>
          text.slice(0, at * text.length) + insertion + text.slice(at * text.length),
    ),
  fc.string({ unit: 'binary', maxLength: 300 }).map((garbage) => () => garbage),
);

describe('whatever STS answers', () => {
  it('is either the session that was asked for or a refusal, and shows no secret (T34)', async () => {
    const { plan, token } = planned();
    let tried = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(damage, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(200, 200, 200, 204, 301, 400, 403),
        async (damages, status) => {
          tried += 1;
          sts.servers[0].script = (call) => ({
            status,
            headers: { 'content-type': 'text/xml', 'x-amzn-requestid': 'id' },
            body: damages.reduce(
              (text, change) => change(text),
              successXml(honestFields(call, 1, systemClock.now())),
            ),
          });
          const outcome = await Promise.resolve(sts.adapter.issue(plan, token)).catch(
            (error: unknown) => error,
          );
          if (outcome instanceof BrokerError) {
            expect(secretsIn(outcome, [secretCanary, token])).toEqual([]);
            return;
          }
          const now = systemClock.now();
          expect(outcome).toMatchObject({
            session: {
              assumedRoleArn: 'arn:aws:sts::123456789012:assumed-role/orders-writer/orders',
            },
          });
          const { session } = outcome as Awaited<ReturnType<typeof sts.adapter.issue>>;
          expect(session.credentials.expiresAt).toBeGreaterThan(now);
          expect(session.credentials.expiresAt).toBeLessThanOrEqual(now + 3_900_000);
          expect(session.credentials.sessionToken).toMatch(/^[\x21-\x7e]{16,}$/);
        },
      ),
      runs(150),
    );
    // Each answer was really given: no circuit was open, and nothing was asked twice.
    expect(sts.servers[0].calls).toHaveLength(tried);
  });
});
