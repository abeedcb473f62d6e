import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type AdminHarness,
  adminClient,
  adminPool,
  callerClient,
  freezeScope,
  readScope,
  startAdmin,
  testMapping,
  writeScope,
} from '../../support/admin-harness.ts';

let admin: AdminHarness;

beforeAll(async () => {
  admin = await startAdmin();
  await admin.create(testMapping('orders-writer'));
});

afterAll(() => admin.stop());

interface RouteLayer {
  readonly route?: { readonly path: string; readonly methods: Readonly<Record<string, boolean>> };
}

/** Every route that the listener really has, with parameters filled in. */
function everyRoute(
  id = 'orders-writer',
): readonly { readonly method: string; readonly path: string }[] {
  const { stack } = admin.app.router as unknown as { readonly stack: readonly RouteLayer[] };
  return stack.flatMap(({ route }) => {
    const methods = Object.keys(route?.methods ?? {});
    // One that answers every method only says which ones there are.
    if (route === undefined || methods.length !== 1) return [];
    const path = route.path.replace(':id', id).replace(':version', '1');
    return methods.map((method) => ({ method: method.toUpperCase(), path }));
  });
}

const allScopes = [readScope, writeScope, freezeScope] as const;

function scopeOf(method: string, path: string): string {
  if (method === 'GET' || path === '/v1/explain') return readScope;
  return path === '/v1/freezes' ? freezeScope : writeScope;
}

/** As good as it gets: only who asks can be the reason for a refusal. */
const goodHeaders = { 'if-match': '"1"', 'change-reason': 'trying it' };

interface Asking {
  readonly query?: string;
  /** Only the routes that this is true of. */
  readonly where?: (scope: string) => boolean;
  /** Of a mapping of version 1. */
  readonly id?: string;
}

async function answers(token: string | null, asking: Asking = {}) {
  const { query = '', where = () => true, id = 'orders-writer' } = asking;
  const found = [];
  for (const { method, path } of everyRoute(id)) {
    if (!where(scopeOf(method, path))) continue;
    const body = method === 'PUT' ? testMapping(id, { owner: 'thief' }) : undefined;
    const request = { token, headers: goodHeaders, ...(body === undefined ? {} : { body }) };
    const { status, body: problem, headers } = await admin.send(method, path + query, request);
    found.push({ method, path, status, code: problem.code, headers });
  }
  return found;
}

/** The same, of whoever must not change anything. */
async function answersWithoutChange(token: string | null, asking?: Asking) {
  const head = await admin.table.head();
  const found = await answers(token, asking);
  expect(await admin.table.head()).toBe(head);
  return found;
}

describe('who may use the admin listener (T53)', () => {
  it('has the routes that these tests are about', () => {
    expect(everyRoute().map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /v1/role-mappings',
      'GET /v1/role-mappings/orders-writer',
      'PUT /v1/role-mappings/orders-writer',
      'DELETE /v1/role-mappings/orders-writer',
      'GET /v1/role-mappings/orders-writer/versions',
      'GET /v1/role-mappings/orders-writer/versions/1',
      'GET /v1/proposals',
      'GET /v1/proposals/orders-writer',
      'POST /v1/proposals/orders-writer/approve',
      'POST /v1/proposals/orders-writer/reject',
      'POST /v1/proposals/orders-writer/withdraw',
      'GET /v1/changes',
      'GET /v1/principals',
      'GET /v1/permissions',
      'POST /v1/explain',
      'GET /v1/decisions',
      'GET /v1/status',
      'GET /v1/freezes',
      'POST /v1/freezes',
      'DELETE /v1/freezes/orders-writer',
    ]);
  });

  it('refuses every route without a token, and changes nothing', async () => {
    for (const { status, code, headers } of await answersWithoutChange(null)) {
      expect([status, code]).toEqual([401, 'token_missing']);
      expect(headers.get('www-authenticate')).toBe('Bearer realm="token-broker"');
    }
  });

  it('refuses every route to a caller of the credentials listener, even with the scopes', async () => {
    for (const { status, code } of await answersWithoutChange(
      admin.token({ clientId: callerClient }),
    )) {
      expect([status, code]).toEqual([403, 'access_denied']);
    }
  });

  it('T56: refuses every route to a user of the app client who is no administrator, with every scope', async () => {
    const cleo = admin.token({ user: 'cleo', scopes: allScopes });
    for (const query of ['', '?dryRun=true']) {
      for (const { status, code } of await answersWithoutChange(cleo, { query })) {
        expect([status, code]).toEqual([403, 'access_denied']);
      }
    }
  });

  it('refuses every route to the same app client id of another pool', async () => {
    for (const { status, code } of await answersWithoutChange(admin.otherPoolToken())) {
      expect([status, code]).toEqual([403, 'access_denied']);
    }
  });

  it('refuses every route to an ID token of an administrator', async () => {
    const idToken = admin.issuer.issueIdToken({ clientId: adminClient, user: 'ada' });
    for (const { status, code } of await answersWithoutChange(idToken)) {
      expect([status, code]).toEqual([403, 'access_denied']);
    }
  });

  it('refuses every route to an expired token', async () => {
    const expired = admin.token({ expiresInSeconds: 60 });
    await admin.clock.advance(120_000);
    for (const { status, code } of await answersWithoutChange(expired)) {
      expect([status, code]).toEqual([401, 'token_expired']);
    }
  });

  it('needs exactly one scope for every route, refuses it for want of that one, and names it', async () => {
    for (const missing of allScopes) {
      const others = allScopes.filter((scope) => scope !== missing);
      for (const { method, path, status, code, headers } of await answersWithoutChange(
        admin.token({ scopes: others }),
        { where: (scope) => scope === missing },
      )) {
        expect([method, path, status, code]).toEqual([method, path, 403, 'scope_insufficient']);
        expect(headers.get('www-authenticate')).toContain(`scope="${missing}"`);
      }
    }
  });

  it('takes the scope for reading for a preview of any edit, and no other', async () => {
    for (const scope of allScopes) {
      const token = admin.token({ scopes: [scope] });
      const edits = { query: '?dryRun=true', where: (needed: string) => needed !== readScope };
      for (const { method, path, status } of await answersWithoutChange(token, edits)) {
        // What becomes of a proposal has none.
        if (path.startsWith('/v1/proposals/')) continue;
        expect([method, path, status === 403]).toEqual([method, path, scope !== readScope]);
      }
    }
  });

  it('lets in whoever has that one scope alone', async () => {
    const id = 'edited';
    await admin.create(testMapping(id));
    for (const scope of allScopes) {
      const token = admin.token({ scopes: [scope] });
      const routes = { id, where: (needed: string) => needed === scope };
      for (const { method, path, status } of await answers(token, routes)) {
        expect([method, path, [401, 403].includes(status)]).toEqual([method, path, false]);
      }
    }
  });

  it('does not let whoever may only freeze give roles back', async () => {
    const token = admin.token({ scopes: [freezeScope] });
    const headers = { 'change-reason': 'INC-9' };
    const body = { principal: { pool: adminPool, client: callerClient }, role: '*' };
    const frozen = await admin.send('POST', '/v1/freezes', { token, headers, body });
    expect([frozen.status, frozen.body.inForce]).toEqual([201, true]);
    for (const path of [`/v1/freezes/${frozen.body.id}`, `/v1/role-mappings/${frozen.body.id}`]) {
      const answer = await admin.send('DELETE', path, {
        token,
        headers: { ...headers, 'if-match': '"1"' },
      });
      expect([answer.status, answer.body.code]).toEqual([403, 'scope_insufficient']);
    }
    const inForce = admin.policy.current().byId.get(frozen.body.id);
    expect(inForce?.mapping).toMatchObject({ effect: 'deny', enabled: true });
  });
});
