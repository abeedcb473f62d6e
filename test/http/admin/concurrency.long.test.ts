import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AdminHarness, startAdmin, testMapping } from '../../support/admin-harness.ts';

let admin: AdminHarness;

beforeAll(async () => {
  // A limit against hanging: how long 125 edits take, one after the other, is up to the machine and the Node.js.
  admin = await startAdmin({ writeTimeoutMs: 150_000 });
});

afterAll(() => admin.stop());

const because = { 'change-reason': 'one more' };

/** As any client must: read, change what was read, and start over if somebody was faster. */
async function addOne(path: string): Promise<void> {
  for (;;) {
    const { headers, body } = await admin.send('GET', path);
    const mapping = { ...body.mapping, description: String(Number(body.mapping.description) + 1) };
    const { status } = await admin.send('PUT', path, {
      headers: { ...because, 'if-match': String(headers.get('etag')) },
      body: mapping,
    });
    if (status === 200) return;
    expect(status).toBe(412);
  }
}

describe('many editors at once (T51)', () => {
  // `npm run bench:edits` does the same with 200 edits of each writer.
  it('lose none of the 100 edits that 50 writers make to 25 mappings', async () => {
    const ids = Array.from({ length: 25 }, (_, index) => `counted-${index}`);
    await Promise.all(ids.map((id) => admin.create(testMapping(id, { description: '0' }))));
    const writer = async (_none: unknown, index: number) => {
      const path = `/v1/role-mappings/${ids[index % ids.length]}`;
      for (let edits = 0; edits < 2; edits += 1) await addOne(path);
    };
    await Promise.all(Array.from({ length: 50 }, writer));

    for (const id of ids) {
      const { body } = await admin.send('GET', `/v1/role-mappings/${id}`);
      expect([body.mapping.description, body.version]).toEqual(['4', 5]);
    }
    expect(await admin.table.head()).toBe(25 * 5);
    const authorized = admin.records().filter(({ outcome }) => outcome === 'authorized');
    const undone = new Set(
      admin
        .records()
        .filter(({ outcome }) => outcome === 'refused')
        .map(({ requestId }) => requestId),
    );
    expect(authorized.filter(({ requestId }) => !undone.has(requestId))).toHaveLength(25 * 5);
  }, 180_000);

  it('have one winner of 20 who create the same mapping', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        admin.create(testMapping('wanted', { description: `writer ${index}` })),
      ),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([201, ...Array<number>(19).fill(412)]);
    const winner = answers.find(({ status }) => status === 201);
    const { body } = await admin.send('GET', '/v1/role-mappings/wanted');
    expect(body.mapping).toEqual(winner?.body.mapping);
  });
});
