import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  type AdminAnswer,
  type AdminHarness,
  adminPool,
  callerClient,
  startAdmin,
  testMapping,
} from '../../support/admin-harness.ts';
import { runs } from '../../support/fuzz-budget.ts';

let admin: AdminHarness;

beforeAll(async () => {
  admin = await startAdmin();
  await admin.create(testMapping('kept'));
});

afterAll(() => admin.stop());

const because = { 'change-reason': 'anything goes' };
const good = testMapping('kept');

function expectProblem({ status, headers, body }: AdminAnswer): void {
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(500);
  expect(headers.get('content-type')).toBe('application/problem+json');
  expect(body).toMatchObject({ status, code: expect.any(String), request_id: expect.any(String) });
}

/** A good mapping with one member, at any depth, replaced by something else. */
const almostGood = fc
  .tuple(
    fc.constantFrom(
      'id',
      'principal',
      'effect',
      'role',
      'conditions',
      'session',
      'precedence',
      'owner',
      'managedBy',
      'enabled',
      'unknown',
      '__proto__',
      'constructor',
    ),
    fc.jsonValue({ maxDepth: 3 }),
  )
  .map(([name, value]) => {
    const text = JSON.stringify({ ...good, [`replaced`]: 0 });
    return text.replace('"replaced":0', `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  });

describe('whatever is sent as a role mapping (T41)', () => {
  const put = (body: string) =>
    admin.send('PUT', '/v1/role-mappings/kept', {
      headers: { ...because, 'if-match': '"1"', 'content-type': 'application/json' },
      body,
    });

  it('is refused with a problem, and the table stays as it is: any JSON', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json({ maxDepth: 6 }), async (body) => {
        expectProblem(await put(body));
      }),
      runs(150),
    );
    expect(await admin.table.head()).toBe(1);
  });

  it('is refused with a problem, and the table stays as it is: a name twice, or one too many', async () => {
    await fc.assert(
      fc.asyncProperty(almostGood, async (body) => expectProblem(await put(body))),
      runs(150),
    );
    expect(await admin.table.head()).toBe(1);
  });

  it('is refused with a problem, and the table stays as it is: any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', minLength: 1 }), async (body) => {
        expectProblem(await put(body));
      }),
      runs(100),
    );
    expect(await admin.table.head()).toBe(1);
  });

  it.each([
    ['no body', undefined, 415],
    ['65,537 bytes', ' '.repeat(65_537), 413],
    ['a million brackets, cut off by the limit', '['.repeat(65_000), 400],
    ['nesting beyond 16', '['.repeat(17) + ']'.repeat(17), 400],
  ])('is refused as %s', async (_what, body, status) => {
    const answer = await admin.send('PUT', '/v1/role-mappings/kept', {
      headers: { ...because, 'if-match': '"1"' },
      ...(body === undefined ? {} : { body }),
    });
    expectProblem(answer);
    expect(answer.status).toBe(status);
    expect(await admin.table.head()).toBe(1);
  });

  it.each(['1.0', '1e3', '-0', '9007199254740993', '10000000000000000999'])(
    'T156: is refused with the number %s, which would be kept as another',
    async (number) => {
      const policy = {
        Version: '2012-10-17',
        Statement: {
          ...{ Effect: 'Allow', Action: 's3:List*', Resource: '*' },
          Condition: { NumericLessThan: { 's3:max-keys': 4711 } },
        },
      };
      const body = JSON.stringify({ ...good, session: { policy } });
      const answer = await put(body.replace('4711', number));
      expectProblem(answer);
      expect([answer.status, answer.body.code]).toEqual([400, 'body_malformed']);
      expect(answer.body.detail).toMatch(/has a number .*(?:told apart|write it as text)/);
    },
  );

  it('is read in every spelling of its media type', async () => {
    for (const type of [
      'application/json ;charset=utf8',
      'Application/JSON; v=1;',
      'application/json',
    ]) {
      const answer = await admin.send('PUT', '/v1/role-mappings/kept', {
        headers: {
          ...because,
          'if-match': '"1"',
          'content-type': type,
          'content-encoding': 'identity',
        },
        body: '{}',
      });
      expect([answer.status, answer.body.code]).toEqual([422, 'mapping_invalid']);
    }
  });

  it('is refused in any other media type or coding', async () => {
    for (const headers of [
      { 'content-type': 'application/yaml' },
      { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    ]) {
      const answer = await admin.send('PUT', '/v1/role-mappings/kept', {
        headers: { ...because, 'if-match': '"1"', ...headers },
        body: JSON.stringify(good),
      });
      expect([answer.status, answer.body.code]).toEqual([415, 'media_type_unsupported']);
    }
  });
});

describe('whatever is sent to the other doors', () => {
  it('is refused or explained, never an error of ours: any JSON to explain', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json({ maxDepth: 4 }), async (body) => {
        expectProblem(await admin.send('POST', '/v1/explain', { body }));
      }),
      runs(100),
    );
  });

  it('freezes nothing: any JSON to freezes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json({ maxDepth: 4 }), async (body) => {
        expectProblem(await admin.send('POST', '/v1/freezes', { headers: because, body }));
      }),
      runs(100),
    );
    expect(await admin.table.head()).toBe(1);
  });

  it.each(['Kept', 'a'.repeat(64), '-a', 'constructor.x', 'a:b', '..%2fHEAD'])(
    'is not found, or not well-formed, under the id %s',
    async (id) => {
      const answers = [
        await admin.send('GET', `/v1/role-mappings/${id}`),
        await admin.send('GET', `/v1/role-mappings/${id}/versions`),
        await admin.send('PUT', `/v1/role-mappings/${id}`, {
          headers: { ...because, 'if-none-match': '*' },
          body: { ...good, id },
        }),
        await admin.send('DELETE', `/v1/role-mappings/${id}`, {
          headers: { ...because, 'if-match': '"1"' },
        }),
        await admin.send('DELETE', `/v1/freezes/${id}`, { headers: because }),
      ];
      for (const answer of answers) expectProblem(answer);
      expect(await admin.table.head()).toBe(1);
    },
  );

  it('never comes back in a refusal', async () => {
    const marker = 'SECRET-c0ffee';
    const answers = [
      await admin.send('GET', `/v1/role-mappings?${marker}=1`),
      await admin.send('GET', `/v1/role-mappings?owner=${marker}&owner=${marker}`),
      await admin.send('GET', `/v1/role-mappings?cursor=${marker}`),
      await admin.send('GET', `/v1/changes?since=${marker}`),
      await admin.send('GET', `/v1/principals?role=${marker}`),
      await admin.send('POST', '/v1/explain', { body: { token: 7, caller: marker } }),
      await admin.send('POST', '/v1/explain', {
        body: { caller: { pool: adminPool, client: callerClient, claims: { [marker]: 'x' } } },
      }),
      await admin.send('PUT', '/v1/role-mappings/kept', {
        headers: { 'change-reason': `${marker}\t`, 'if-match': `"${marker}"` },
        body: good,
      }),
      await admin.send('PUT', '/v1/role-mappings/kept', {
        headers: { ...because, 'if-match': `"${marker}"` },
        body: good,
      }),
    ];
    for (const answer of answers) {
      expectProblem(answer);
      expect(JSON.stringify(answer.body)).not.toContain(marker);
    }
  });
});
