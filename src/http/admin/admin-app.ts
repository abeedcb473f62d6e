/** The admin listener: who gets which role, why, and since when. */

import type { Express } from 'express';
import type { AdminAccess } from '../../core/admin-access.ts';
import { type BrokenGlass, mappingEditor } from '../../core/editing/mapping-edit.ts';
import type { ProposalStore, RoleMappingStore } from '../../core/editing/ports.ts';
import type { ProposalEvent } from '../../core/editing/proposal.ts';
import { explainDecision } from '../../core/explain-decision.ts';
import type { WritingRules } from '../../core/policy/mapping-check.ts';
import type { AuditLog, LivePolicy, RecentDecisions, TokenValidator } from '../../core/ports.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import type { RouteHandler } from '../arrival.ts';
import { expressApp, otherMethods, unmatched } from '../express-app.ts';
import type { Instrument } from '../instrument.ts';
import { approveProposal, closeProposal } from './decide-proposal.ts';
import { answerEdit } from './edit-answer.ts';
import { deleteRoleMapping, putRoleMapping } from './edit-role-mapping.ts';
import { answerExplain } from './explain-decision.ts';
import { freeze, listFreezes, unfreeze } from './freeze.ts';
import { listChanges } from './list-changes.ts';
import { listDecisions } from './list-decisions.ts';
import { listPermissions } from './list-permissions.ts';
import { listPrincipals } from './list-principals.ts';
import { listRoleMappings } from './list-role-mappings.ts';
import { lookBy } from './look.ts';
import { listProposals, readProposal } from './read-proposals.ts';
import { listVersions, readRoleMapping, readVersion } from './read-role-mapping.ts';
import { type InstanceStatus, readStatus } from './read-status.ts';
import { type Console, serveConsole } from './serve-console.ts';

export interface AdminAppOptions {
  readonly validator: TokenValidator;
  /** As it is at the moment; so are the rules. */
  readonly access: () => AdminAccess;
  readonly store: RoleMappingStore;
  readonly proposals: ProposalStore;
  readonly policy: LivePolicy;
  readonly audit: AuditLog;
  readonly decisions: RecentDecisions;
  readonly status: () => Promise<InstanceStatus>;
  readonly rules: () => WritingRules;
  /** By pool: the issuer whose tokens are accepted. Callers can be described by their pool. */
  readonly issuers: ReadonlyMap<string, string>;
  readonly route: Instrument;
  readonly clock: Clock;
  /** Told when somebody does without a second administrator. */
  readonly onBreakGlass?: ((edit: BrokenGlass) => void) | undefined;
  /** Told of each that was made, or came to its end, here. */
  readonly onProposal?: ((event: ProposalEvent) => void) | undefined;
  /** Undefined: no page is served. */
  readonly console?: Console | undefined;
}

/** A mapping with the longest session policy and all its conditions is far smaller. */
const maxBodyBytes = 64 * 1024;

/** What whoever uses another method most likely wants. */
const hints: Readonly<Record<string, string>> = {
  '/v1/role-mappings':
    'To create a role mapping, send it with PUT to /v1/role-mappings/{id}, If-None-Match: * and a Change-Reason.',
};

type Methods = Readonly<Partial<Record<'GET' | 'PUT' | 'POST' | 'DELETE', RouteHandler>>>;

export function adminApp(options: AdminAppOptions): Express {
  const { route, ...parts } = options;
  const look = lookBy(parts);
  const { validator, access } = parts;
  const identity = { kind: 'token', validator, access } as const;
  const edit = mappingEditor({ ...parts, identity, side: 'api' });
  const answer = answerEdit(parts);
  const { matchableClaims, webIdentity } = parts.rules();
  const identityByDefault = webIdentity?.byDefault ?? 'caller';
  const explain = explainDecision({ ...parts, matchableClaims, identityByDefault });
  const reading = { ...parts, look };
  const rule = () => parts.rules().guardrails.approval;
  const deciding = { ...parts, edit, identity, answer, rule };
  const editing = { ...parts, edit, answer, maxBodyBytes };

  const routes: Readonly<Record<string, Methods>> = {
    '/v1/role-mappings': { GET: listRoleMappings(reading) },
    '/v1/role-mappings/{id}': {
      GET: readRoleMapping(reading),
      PUT: putRoleMapping(editing),
      DELETE: deleteRoleMapping(editing),
    },
    '/v1/role-mappings/{id}/versions': { GET: listVersions(reading) },
    '/v1/role-mappings/{id}/versions/{version}': { GET: readVersion(reading) },
    '/v1/proposals': { GET: listProposals(reading) },
    '/v1/proposals/{id}': { GET: readProposal(reading) },
    '/v1/proposals/{id}/approve': { POST: approveProposal(deciding) },
    '/v1/proposals/{id}/reject': { POST: closeProposal(deciding, 'rejected') },
    '/v1/proposals/{id}/withdraw': { POST: closeProposal(deciding, 'withdrawn') },
    '/v1/changes': { GET: listChanges(reading) },
    '/v1/principals': { GET: listPrincipals(reading) },
    '/v1/permissions': { GET: listPermissions(reading) },
    '/v1/explain': {
      POST: answerExplain({ look, explain, pools: () => parts.rules().pools, maxBodyBytes }),
    },
    '/v1/decisions': { GET: listDecisions(reading) },
    '/v1/status': { GET: readStatus(reading) },
    '/v1/freezes': { GET: listFreezes(reading), POST: freeze(editing) },
    '/v1/freezes/{id}': { DELETE: unfreeze(editing) },
  };
  const app = expressApp();
  for (const [template, methods] of Object.entries(routes)) {
    const path = template.replaceAll(/\{(\w+)\}/g, ':$1');
    for (const [method, handler] of Object.entries(methods)) {
      const verb = method.toLowerCase() as Lowercase<keyof Methods>;
      app[verb](path, route(template, handler));
    }
    app.all(path, route(template, otherMethods(Object.keys(methods), hints[template])));
  }
  if (options.console !== undefined) serveConsole(app, { ...options.console, route });
  unmatched(app, route);
  return app;
}
