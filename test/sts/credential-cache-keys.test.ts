/** Which session keys belong to: answered for what is held, and for nothing that has left. */

import { afterEach, expect, it } from '@jest/globals';
import {
  type CacheFixture,
  type CacheFixtureOptions,
  startCacheFixture,
} from '../support/cache-fixture.ts';
import { type PlannedCall, planned } from '../support/session-plans.ts';

let fixture: CacheFixture;
async function start(options: CacheFixtureOptions = {}): Promise<void> {
  fixture = await startCacheFixture(options);
}
afterEach(() => fixture.stop());

async function keyOf({ plan, token }: PlannedCall): Promise<string> {
  const { session } = await fixture.cache.issue(plan, token);
  return session.credentials.accessKeyId;
}

const sessionNameOf = (accessKeyId: string) =>
  fixture.cache.sessionOfKey(accessKeyId)?.assumedRoleArn.split('/').at(-1);

const named = (sessionName: string) => planned({ sessionName });

it('keys lead to the session that they are of', async () => {
  await start();
  const [ada, bob] = [await keyOf(named('ada')), await keyOf(named('bob'))];
  expect([sessionNameOf(ada), sessionNameOf(bob)]).toEqual(['ada', 'bob']);
  expect(sessionNameOf('ASIAIOSFODNN7EXAMPLE')).toBeUndefined();
});

it.each([
  ['number', { maxEntries: 2 }],
  ['size', { maxBytes: 24_000 }],
])('keys of an entry that was displaced by %s lead nowhere', async (_by, bounds) => {
  await start(bounds);
  const keys: string[] = [];
  for (let n = 0; n < 8; n += 1) keys.push(await keyOf(named(`caller-${n}`)));
  const known = keys.filter((key) => sessionNameOf(key) !== undefined);
  expect(known).toHaveLength(fixture.cache.size);
  expect(known.length).toBeLessThan(keys.length);
  expect(sessionNameOf(keys.at(-1) ?? '')).toBe('caller-7');
});

it('keys of what is too large to be kept lead nowhere', async () => {
  await start({ maxBytes: 100 });
  expect(sessionNameOf(await keyOf(named('ada')))).toBeUndefined();
});

it('keys of what was purged lead nowhere, and the others still to theirs', async () => {
  await start();
  const [ada, bob] = [await keyOf(named('ada')), await keyOf(named('bob'))];
  fixture.cache.purge(({ sessionName }) => sessionName === 'ada');
  expect([sessionNameOf(ada), sessionNameOf(bob)]).toEqual([undefined, 'bob']);
});

it('keys of a session that was renewed lead nowhere, the new ones to the new session', async () => {
  await start();
  const before = await keyOf(named('ada'));
  await fixture.clock.advance(3_000_000);
  const after = await keyOf(named('ada'));
  await fixture.renewalsEnded(fixture.count('renewed') + fixture.count('renewal_failed'));
  expect(after).not.toBe(before);
  expect([sessionNameOf(before), sessionNameOf(after)]).toEqual([undefined, 'ada']);
});

it('keys of a session that STS withdrew lead nowhere', async () => {
  await start();
  const key = await keyOf(named('ada'));
  await fixture.clock.advance(3_000_000);
  fixture.answer({
    status: 403,
    body: '<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>',
  });
  await expect(keyOf(named('ada'))).rejects.toMatchObject({ code: 'sts_access_denied' });
  expect(sessionNameOf(key)).toBeUndefined();
});
