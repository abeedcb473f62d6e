/**
 * How `mappings apply` edits: by the same use case as the admin listener, with its checks and its audit record.
 * IAM lets it write to the table; a token proves who it is, and without one every trace says that nothing did.
 */

import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { ChainedAuditLog } from '../audit/audit-log.ts';
import { FileSink } from '../audit/file-sink.ts';
import { readTokenFile } from '../client/token-file.ts';
import { adminAccess } from '../config/admin-access.ts';
import { trustedIssuersOf } from '../config/configured-issuers.ts';
import { writingRules } from '../config/mapping-rules.ts';
import type { Config } from '../config/schema.ts';
import type { EditorIdentity } from '../core/editing/change-attempt.ts';
import { type EditMapping, type EditResult, mappingEditor } from '../core/editing/mapping-edit.ts';
import type { MappingWritten } from '../core/editing/mapping-history.ts';
import { BrokerError } from '../core/errors.ts';
import type { AuditLog, LivePolicy } from '../core/ports.ts';
import { PolicySync } from '../dynamodb/policy-sync.ts';
import type { RoleMappingTable } from '../dynamodb/role-mapping-table.ts';
import type { TableSeal } from '../dynamodb/table-seal.ts';
import { JwksSource } from '../identity/keys/jwks-source.ts';
import { CognitoTokenValidator } from '../identity/token-validator.ts';
import { errorCodeOf } from '../kit/files/error-code.ts';
import { systemClock } from '../kit/timing/clock.ts';
import type { PlannedChange } from '../mapping-files/mapping-plan.ts';
import { ApplyGroup } from './apply-group.ts';
import { WritePace } from './write-pace.ts';

export interface ApplyEditorOptions {
  readonly config: Config;
  readonly store: RoleMappingTable;
  /** Of its change log; undefined: it is not sealed. */
  readonly seal: TableSeal | undefined;
  /** Kept in the history and in the record; a claim where there is no token. */
  readonly actor: string;
  /** File with a token of an administrator. */
  readonly tokenFile: string | undefined;
  /** Instead of the file: the token itself. */
  readonly token?: string | undefined;
  readonly auditDirectory: string;
  readonly reason: string;
  /** Of this program: for the record that opens the log. */
  readonly version: string;
}

export interface ApplyChanges {
  /** How many changes the next group may have. */
  atMost(): number;
  /**
   * Makes the changes of a group in their order: what is after one that failed was not made. Each is fulfilled, or rejected
   * with a BrokerError; nothing was written without its record.
   */
  make(group: readonly PlannedChange[]): Promise<readonly PromiseSettledResult<AppliedChange>[]>;
}

export type AppliedChange =
  | { readonly kind: 'written'; readonly written: MappingWritten }
  /** The table says that already. */
  | { readonly kind: 'unchanged' }
  /** It waits for a second administrator. */
  | { readonly kind: 'proposed'; readonly proposal: string };

/**
 * The log is a chain of its own beside that of a broker, which holds its directory for itself.
 * Undefined: nowhere is configured.
 */
export function applyAuditDirectory({ audit }: Config, asked: string | undefined) {
  return asked ?? (audit.directory === undefined ? undefined : path.join(audit.directory, 'apply'));
}

/** @throws BrokerError or TokenBrokerError before anything was written. */
export async function withApplyEditor<Result>(
  options: ApplyEditorOptions,
  use: (apply: ApplyChanges) => Promise<Result>,
): Promise<Result> {
  const { tokenFile, config } = options;
  const token = tokenFile === undefined ? options.token : await readTokenFile(tokenFile);
  return await withIdentity({ ...options, token }, async (identity) => {
    const audit = await openAuditLog(options.auditDirectory, config, options.version);
    try {
      return await withPolicy(options, (policy) =>
        use(applyChanges(options, { identity, token, audit, policy })),
      );
    } finally {
      await audit.stop();
    }
  });
}

/**
 * Undefined where nothing depends on what else is in the table. Where the change log is sealed, no other counts: what somebody
 * wrote around it would make an edit look as if it needed nobody else (T324).
 */
async function withPolicy<Result>(
  { config, store, seal }: ApplyEditorOptions,
  use: (policy: LivePolicy | undefined) => Promise<Result>,
): Promise<Result> {
  if (config.guardrails.approval.when === 'never') return await use(undefined);
  // Before its keys are there no seal counts.
  await seal?.loaded();
  const rules = writingRules(config);
  const policy = new PolicySync({ table: store, rules, clock: systemClock, seal });
  await policy.start();
  try {
    return await use(policy);
  } finally {
    await policy.stop();
  }
}

async function withIdentity<Result>(
  { config, token, actor }: ApplyEditorOptions,
  use: (identity: EditorIdentity) => Promise<Result>,
): Promise<Result> {
  if (token === undefined) return await use({ kind: 'claimed', name: actor });
  const { admin, identity } = config;
  if (admin === undefined) {
    throw new BrokerError('access_denied', {
      detail: 'The configuration has no "admin" section, so no token can prove an administrator.',
    });
  }
  // Only the pool of the administrators: no other token can be one of theirs.
  const issuers = trustedIssuersOf(identity).filter(({ name }) => name === admin.pool);
  // Without the stored key sets: those are the broker's.
  const { timeoutMs } = config.keys;
  const keys = new JwksSource({ issuers, clock: systemClock, fetchTimeoutMs: timeoutMs });
  await keys.start();
  try {
    const { matchableClaims, maxTokenBytes, maxTokenAgeSeconds, clockToleranceSeconds } = identity;
    const validator = new CognitoTokenValidator({
      issuers,
      keys,
      clock: systemClock,
      matchableClaims: new Set(matchableClaims),
      describe: new Set(config.audit.describe),
      maxTokenBytes,
      maxTokenAgeSeconds,
      clockToleranceSeconds,
    });
    const access = adminAccess(admin);
    return await use({ kind: 'token', validator, access: () => access });
  } finally {
    await keys.stop();
  }
}

async function openAuditLog(directory: string, { audit }: Config, version: string) {
  const { deadlineMs, rotateBytes, rotateAfterSeconds } = audit;
  const sink = new FileSink({
    ...{ directory, clock: systemClock, version, deadlineMs },
    ...{ rotateBytes, rotateAfterSeconds },
  });
  const log = new ChainedAuditLog({ durable: [sink] });
  try {
    await log.start();
    return log;
  } catch (error) {
    const code = errorCodeOf((error as BrokerError).cause);
    const why = code === 'ELOCKED' ? 'another process writes to it' : code;
    throw new BrokerError('audit_unavailable', {
      detail: `The audit log in ${directory} cannot be written (${why}): wait, or name another place with --audit-directory.`,
      cause: error,
    });
  }
}

interface Opened {
  readonly identity: EditorIdentity;
  readonly token: string | undefined;
  readonly audit: AuditLog;
  readonly policy: LivePolicy | undefined;
}

function applyChanges(
  { config, store: table, reason }: ApplyEditorOptions,
  { identity, token, audit, policy }: Opened,
): ApplyChanges {
  const rules = writingRules(config);
  const clock = systemClock;
  const { proposals } = table;
  const around = { identity, proposals, audit, clock, policy } as const;

  async function applyOne(edit: EditMapping, { id, action, version, after }: PlannedChange) {
    const change = after === null ? deletion : ({ kind: 'put', document: after } as const);
    const expectedVersion = version ?? 'absent';
    const result = await edit(
      commandContext(),
      { action, id, permission: 'write' },
      {
        open: () => ({ token, preview: undefined }),
        read: () => ({
          id,
          change,
          expectedVersion,
          reason,
          override: false,
          breakGlass: false,
          propose: false,
        }),
      },
    );
    return applied(result);
  }

  // Whether a change needs somebody else may depend on the one before it.
  const isAlone = config.guardrails.approval.when !== 'never';
  const pace = new WritePace();
  return {
    atMost: () => (isAlone ? 1 : pace.atOnce),
    async make(changes) {
      const ids = changes.map(({ id }) => id);
      const group = new ApplyGroup(table, pace, ids);
      const edit = mappingEditor({ ...around, store: group, rules: () => rules, side: 'git' });
      return await Promise.allSettled(
        changes.map((change) => group.follow(change.id, applyOne(edit, change))),
      );
    },
  };
}

function applied(result: EditResult): AppliedChange {
  switch (result.kind) {
    case 'written':
      return { kind: 'written', written: result.written };
    case 'proposed':
      return { kind: 'proposed', proposal: result.proposal.id };
    case 'unchanged':
      return { kind: 'unchanged' };
    case 'previewed':
      throw new TypeError('an apply is never a preview');
  }
}

const deletion = { kind: 'delete' } as const;

/** Each change is a request of its own: a later record of the same one says if it was not made after all. */
function commandContext() {
  return {
    requestId: randomUUID(),
    route: 'mappings apply',
    // The machine on which the command runs and writes its log.
    sourceIp: '127.0.0.1',
    peerIp: '127.0.0.1',
    userAgent: undefined,
  };
}
