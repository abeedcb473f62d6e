/** What commands read of the answers of the admin API. */

import { z } from 'zod';

const principal = z.record(z.string(), z.unknown());

/** A role mapping of a broker that may be newer: whatever else it says is kept, and not understood. */
const mappingFacts = z.looseObject({
  id: z.string(),
  principal,
  effect: z.string(),
  role: z.string(),
  owner: z.string(),
  managedBy: z.string(),
  enabled: z.boolean(),
});

const quarantined = z.array(z.object({ id: z.string(), version: z.number(), standIn: z.string() }));
const nextCursor = z.string().optional();
const takesAway = z.object({ mappings: z.number(), roles: z.number() });

export const mappingPage = z.object({
  revision: z.number(),
  items: z.array(z.object({ version: z.number(), mapping: mappingFacts })),
  quarantined,
  nextCursor,
});

export const freezePage = z.object({
  revision: z.number(),
  items: z.array(
    z.object({
      version: z.number(),
      mapping: mappingFacts.extend({ description: z.string().default('') }),
      takesAway,
    }),
  ),
  quarantined,
  nextCursor,
});

export const mappingVersion = z.object({
  id: z.string(),
  version: z.number(),
  action: z.string(),
  updatedAt: z.string(),
  updatedBy: z.string(),
  actorProven: z.boolean(),
  reason: z.string(),
  mapping: mappingFacts.nullable(),
  /** The row as it is, where it is no sound mapping. */
  document: z.unknown().optional(),
});

export type ReadVersion = z.output<typeof mappingVersion>;

export const versionPage = z.object({ items: z.array(mappingVersion), nextCursor });

const listedPermission = z.object({
  principal,
  effect: z.string(),
  status: z.string(),
  conditions: z.record(z.string(), z.unknown()),
  id: z.string(),
  version: z.number(),
  owner: z.string(),
});

export const principalPage = z.object({
  revision: z.number(),
  role: z.string(),
  items: z.array(listedPermission),
  nextCursor,
});

export const permissionPage = z.object({
  revision: z.number(),
  items: z.array(
    listedPermission.extend({ role: z.string(), maxDurationSeconds: z.number().optional() }),
  ),
  nextCursor,
});

export const editResult = z.object({
  id: z.string(),
  action: z.string(),
  dryRun: z.boolean(),
  version: z.number().optional(),
  inForce: z.boolean().optional(),
  /** The mapping says that already. */
  unchanged: z.boolean().default(false),
  /** Of a dry run: it would wait for a second administrator. */
  needsApproval: z.boolean().default(false),
  /** What it waits as for a second administrator, or was approved as. */
  proposal: z.object({ id: z.string() }).optional(),
  changes: z.array(
    z.object({
      pointer: z.string(),
      before: z.unknown().optional(),
      after: z.unknown().optional(),
    }),
  ),
  warnings: z.array(z.object({ pointer: z.string(), detail: z.string() })),
  takesAway: takesAway.nullish(),
  revokeSessions: z.object({ role: z.string(), policy: z.unknown() }).optional(),
});

export type ReadEdit = z.output<typeof editResult>;

export const proposalFacts = z.looseObject({
  id: z.string(),
  state: z.string(),
  mappingId: z.string(),
  action: z.string(),
  baseVersion: z.number().nullable(),
  sha256: z.string(),
  before: z.unknown(),
  mapping: z.unknown(),
  affected: z.array(z.object({ principal, role: z.string(), effect: z.string() })),
  override: z.boolean(),
  author: z.object({
    name: z.string(),
    machine: z.boolean(),
    // Brokers of the release before do not say it.
    administrator: z.boolean().nullable().default(null),
  }),
  reason: z.string(),
  createdAt: z.string(),
  expiresAt: z.string(),
  closed: z.object({ by: z.string(), reason: z.string(), at: z.string() }).nullable(),
  recentCallers: z
    .array(
      z.object({
        pool: z.string().nullable(),
        client: z.string().nullable(),
        subject: z.string().nullable(),
        outcome: z.string(),
        time: z.string(),
      }),
    )
    .default([]),
});

export type ReadProposal = z.output<typeof proposalFacts>;

export const proposalPage = z.object({ items: z.array(proposalFacts), nextCursor });
