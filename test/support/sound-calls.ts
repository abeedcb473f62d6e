/** One request of each operation of openapi.yaml that there is nothing wrong with, but for the token, which it lacks. */

import type { BrokerFixture } from './broker-fixture.ts';
import type { Answer, Call } from './http-call.ts';
import { allow, clients, pool } from './outside-world.ts';
import { formOf, formType, type Parameters, webIdentity } from './sts-call.ts';

export interface SoundCall extends Call {
  /** Of `/sts`, whose token is in there. */
  readonly form?: Parameters;
}

const change = { 'change-reason': 'INC-1' };
const frozen = { principal: { pool, client: clients.orders.clientId }, role: '*' };
const admin = (path: string, call: Partial<Call> = {}) =>
  ({ listener: 'admin', path, ...call }) as const;
const ops = (path: string) => ({ listener: 'ops', path }) as const;
const mapping = '/v1/role-mappings/orders-writer';
const proposal = '/v1/proposals/000000000000-0000000000000000';

/** By operation. */
export const soundCalls: Readonly<Record<string, SoundCall>> = {
  issueCredentials: { method: 'POST', path: '/v1/credentials', body: {} },
  getContainerCredentials: { path: '/v1/credentials' },
  getContainerCredentialsOfRole: { path: '/v1/credentials/orders-writer' },
  querySts: { method: 'POST', path: '/sts', form: webIdentity('') },
  describeCaller: { path: '/v1/caller' },
  listRoleMappings: admin('/v1/role-mappings'),
  getRoleMapping: admin(mapping),
  putRoleMapping: admin('/v1/role-mappings/books', {
    method: 'PUT',
    headers: { ...change, 'if-none-match': '*' },
    body: allow('books', 'orders'),
  }),
  deleteRoleMapping: admin(mapping, {
    method: 'DELETE',
    headers: { ...change, 'if-match': '"1"' },
  }),
  listRoleMappingVersions: admin(`${mapping}/versions`),
  getRoleMappingVersion: admin(`${mapping}/versions/1`),
  listProposals: admin('/v1/proposals'),
  getProposal: admin(proposal),
  approveProposal: admin(`${proposal}/approve`, {
    method: 'POST',
    body: { sha256: '0'.repeat(64), reason: 'read' },
  }),
  rejectProposal: admin(`${proposal}/reject`, { method: 'POST', body: { reason: 'no' } }),
  withdrawProposal: admin(`${proposal}/withdraw`, { method: 'POST', body: { reason: 'no' } }),
  listChanges: admin('/v1/changes'),
  listPrincipals: admin(`/v1/principals?role=${allow('orders-writer', 'orders').role}`),
  listPermissions: admin(`/v1/permissions?pool=${pool}&client=${clients.orders.clientId}`),
  explainDecision: admin('/v1/explain', {
    method: 'POST',
    body: { caller: { pool, client: clients.orders.clientId } },
  }),
  listDecisions: admin('/v1/decisions'),
  getStatus: admin('/v1/status'),
  listFreezes: admin('/v1/freezes'),
  freeze: admin('/v1/freezes', { method: 'POST', headers: change, body: frozen }),
  unfreeze: admin('/v1/freezes/freeze-000000000000000000000000', {
    method: 'DELETE',
    headers: change,
  }),
  checkLiveness: ops('/livez'),
  checkReadiness: ops('/readyz'),
  readMetrics: ops('/metrics'),
};

/** Through the door by which the operation takes one. */
export function withToken(call: SoundCall, token: string): SoundCall {
  if (call.form === undefined) return { ...call, token };
  return { ...call, form: { ...call.form, WebIdentityToken: token } };
}

export function withHeaders(call: SoundCall, headers: Readonly<Record<string, string>>): SoundCall {
  return { ...call, headers: { ...call.headers, ...headers } };
}

export function withQuery(call: SoundCall, query: string): SoundCall {
  return { ...call, path: `${call.path}${call.path.includes('?') ? '&' : '?'}${query}` };
}

export function sendCall(broker: BrokerFixture, { form, ...call }: SoundCall): Promise<Answer> {
  if (form === undefined) return broker.call(call);
  const headers = { 'content-type': formType, ...call.headers };
  return broker.call({ body: formOf(form), ...call, headers });
}
