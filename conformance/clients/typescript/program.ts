/** Exchanges tokens and edits a role mapping with a generated client. */

import createClient from 'openapi-fetch';
import type { components, paths } from './broker.js';

type Problem = components['schemas']['Problem'];
type RoleMapping = components['schemas']['RoleMapping'];
type RoleMappingInput = components['schemas']['RoleMappingInput'];

const timely = (request: Request) => fetch(request, { signal: AbortSignal.timeout(10_000) });
const broker = (token: string) =>
  createClient<paths>({
    baseUrl: setting('BROKER_URL'),
    headers: { authorization: `Bearer ${setting(token)}` },
    fetch: timely,
  });
const admin = createClient<paths>({
  baseUrl: setting('BROKER_ADMIN_URL'),
  headers: { authorization: `Bearer ${setting('ADMIN_TOKEN')}` },
  fetch: timely,
});

async function exchange() {
  const orders = broker('ORDERS_TOKEN');
  const { data: only } = await orders.POST('/v1/credentials');
  const { data: named } = await orders.POST('/v1/credentials', {
    body: { role: 'orders-writer', durationSeconds: 900 },
  });
  if (only === undefined || named === undefined) throw new Error('refused');
  return {
    role: named.role,
    sameRole: only.role === named.role,
    lasts: Date.parse(named.credentials.expiration) > Date.now(),
  };
}

async function refusal(token: string): Promise<Problem> {
  const { error } = await broker(token).POST('/v1/credentials');
  if (error === undefined) throw new Error('not refused');
  return error;
}

async function edit() {
  const params = { path: { id: 'orders-writer' } };
  const { data: read, response } = await admin.GET('/v1/role-mappings/{id}', { params });
  const etag = response.headers.get('etag');
  const mapping = read?.mapping;
  if (!mapping || etag === null) throw new Error('not read');
  const reason = setting('CHANGE_REASON');
  const replace = () =>
    admin.PUT('/v1/role-mappings/{id}', {
      params: { ...params, header: { 'If-Match': etag, 'Change-Reason': reason } },
      body: {
        ...mapping,
        description: reason,
        conditions: { ...mapping.conditions, expiresAt: '2099-12-31T00:00:00Z' },
      },
    });
  const { data: edited, response: answer } = await replace();
  const { error: stale } = await replace();
  if (edited?.mapping == null || stale === undefined) throw new Error('not edited once');
  return { edited, mapping: edited.mapping, etag: answer.headers.get('etag'), stale };
}

/** What is read can be sent: types of TypeScript take nothing away. */
function asInput(mapping: RoleMapping): RoleMappingInput {
  return mapping;
}

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

const denied = await refusal('STRANGER_TOKEN');
const ambiguous = await refusal('REPORTS_TOKEN');
const { edited, mapping, etag, stale } = await edit();
console.log(
  JSON.stringify({
    exchange: await exchange(),
    denied: { status: denied.status, code: denied.code, requestId: denied.request_id !== '' },
    ambiguous: {
      status: ambiguous.status,
      code: ambiguous.code,
      choices: ambiguous.choices?.map((choice) => choice.mapping).sort(),
    },
    edit: { etag, description: mapping.description, expiresAt: mapping.conditions.expiresAt },
    stale: { status: stale.status, code: stale.code },
    kept: asInput(JSON.parse(setting('FUTURE_MAPPING')) as RoleMapping),
    version: edited.version,
  }),
);
