/** One role mapping: what it says, who gets its role, its history, and the way back to any version. */

import { useState } from 'preact/hooks';
import { type ApiProblem, callApi } from '../api.ts';
import type { MappingVersion, PrincipalPage, RoleMapping } from '../documents.ts';
import { jsonDifference } from '../json-difference.ts';
import { editMapping, goneToProposal, readMapping, readVersions } from '../mapping-edits.ts';
import { instantWords, principalWords, statusOf } from '../mapping-words.ts';
import { Changes } from '../parts/changes.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { JsonText } from '../parts/json-text.tsx';
import { Loaded, ProblemNote, useLoad } from '../parts/loading.tsx';
import { Page } from '../parts/page.tsx';
import { linkTo } from '../router.ts';
import { may } from '../sign-in/session.ts';

interface Known {
  readonly current: MappingVersion | undefined;
  readonly etag: string | undefined;
  readonly versions: readonly MappingVersion[];
}

export function MappingPage({ rest: [id = ''] }: { readonly rest: readonly string[] }) {
  const load = useLoad(() => readKnown(id), [id]);
  return (
    <Page title={id}>
      <Loaded load={load}>
        {(known) => <MappingView id={id} known={known} again={load.again} />}
      </Loaded>
    </Page>
  );
}

async function readKnown(id: string): Promise<Known> {
  const [current, versions] = await Promise.all([
    readMapping(id).catch((problem: ApiProblem) => {
      // Deleted: there is still a history, or else reading that fails as well.
      if (problem.code === 'mapping_not_found') return undefined;
      throw problem;
    }),
    readVersions(id),
  ]);
  return { current: current?.document, etag: current?.etag, versions: versions.document.items };
}

interface ViewProps {
  readonly id: string;
  readonly known: Known;
  readonly again: () => void;
}

function MappingView({ id, known, again }: ViewProps) {
  const { current, etag, versions } = known;
  const mapping = current?.mapping ?? undefined;
  return (
    <>
      {current === undefined && <p class="note warn">This mapping was deleted.</p>}
      {current?.faults !== undefined && (
        <div class="note bad">
          <p>This row cannot be read, and is not in force as it stands:</p>
          <ul>
            {current.faults.map(({ pointer, detail }) => (
              <li key={pointer + detail}>
                <code>{pointer}</code> {detail}
              </li>
            ))}
          </ul>
        </div>
      )}
      {mapping !== undefined && <Facts mapping={mapping} current={current as MappingVersion} />}
      {current !== undefined && may('write') && (
        <Actions id={id} etag={etag} managedBy={mapping?.managedBy} again={again} />
      )}
      {mapping !== undefined && mapping.role !== '*' && <WhoGets role={mapping.role} />}
      <h2>History</h2>
      <History id={id} known={{ current, etag, versions }} again={again} />
      {current !== undefined && (
        <>
          <h2>Document</h2>
          <JsonText value={mapping ?? current.document} label="the document" />
        </>
      )}
    </>
  );
}

function Facts({
  mapping,
  current,
}: {
  readonly mapping: RoleMapping;
  readonly current: MappingVersion;
}) {
  const { description, principal, effect, role, owner, managedBy, conditions } = mapping;
  return (
    <dl>
      <dt>Status</dt>
      <dd>{statusOf(mapping, Date.now())}</dd>
      <dt>Description</dt>
      <dd>{description || 'none'}</dd>
      <dt>Principal</dt>
      <dd>{principalWords(principal)}</dd>
      <dt>{effect === 'allow' ? 'May have' : 'Must not have'}</dt>
      <dd>{role === '*' ? 'every role' : role}</dd>
      <dt>Expires</dt>
      <dd>{conditions.expiresAt === undefined ? 'never' : instantWords(conditions.expiresAt)}</dd>
      <dt>Owner</dt>
      <dd>
        {owner}, managed by {managedBy === 'git' ? 'files in Git' : 'the API'}
      </dd>
      <dt>Last changed</dt>
      <dd>
        <Changed version={current} />
      </dd>
    </dl>
  );
}

function Changed({ version }: { readonly version: MappingVersion }) {
  const { updatedAt, updatedBy, actorProven, reason } = version;
  return (
    <>
      <time dateTime={updatedAt}>{instantWords(updatedAt)}</time> by {updatedBy}
      {actorProven ? '' : ' (a name that nothing proved)'}: {reason}
    </>
  );
}

interface ActionsProps {
  readonly id: string;
  readonly etag: string | undefined;
  readonly managedBy: string | undefined;
  readonly again: () => void;
}

function Actions({ id, etag, managedBy, again }: ActionsProps) {
  const [deleting, setDeleting] = useState(false);
  return (
    <>
      {managedBy === 'git' && (
        <p class="note warn">
          Its home is in Git: what is changed here comes back with the next apply, unless the file
          changes as well.
        </p>
      )}
      <div class="row">
        <a class="button" href={linkTo(['edit', id])}>
          Edit
        </a>
        <button type="button" onClick={() => setDeleting(true)} disabled={deleting}>
          Delete …
        </button>
      </div>
      {deleting && (
        <Confirm
          what={`Delete ${id}`}
          typed={id}
          onCancel={() => setDeleting(false)}
          onConfirmed={async (reason) => {
            const override = managedBy === 'git';
            const { document } = await editMapping({
              id,
              base: etag,
              document: undefined,
              reason,
              dryRun: false,
              override,
            });
            if (goneToProposal(document)) return;
            setDeleting(false);
            again();
          }}
        />
      )}
    </>
  );
}

function WhoGets({ role }: { readonly role: string }) {
  const load = useLoad(
    () => callApi<PrincipalPage>(`/v1/principals?role=${encodeURIComponent(role)}&limit=50`),
    [role],
  );
  return (
    <>
      <h2>Who gets this role</h2>
      <Loaded load={load}>
        {({ document: { items, nextCursor } }) => (
          <>
            <ul>
              {items.map(({ id, principal, effect, status }) => (
                <li key={id}>
                  <strong class={effect === 'deny' ? 'bad' : undefined}>{effect}</strong>{' '}
                  {principalWords(principal)} by <a href={linkTo(['mappings', id])}>{id}</a> (
                  {status.replaceAll('_', ' ')})
                </li>
              ))}
            </ul>
            {nextCursor !== undefined && <p class="quiet">There are more than these.</p>}
          </>
        )}
      </Loaded>
    </>
  );
}

const actionWords = { create: 'created', replace: 'changed', delete: 'deleted' } as const;

function History({ id, known, again }: ViewProps) {
  const { current, etag, versions } = known;
  const [undoing, setUndoing] = useState<MappingVersion>();
  const [open, setOpen] = useState<number>();
  return (
    <>
      {undoing !== undefined && (
        <Undo
          id={id}
          to={undoing}
          current={current}
          etag={etag}
          onCancel={() => setUndoing(undefined)}
          onDone={() => {
            setUndoing(undefined);
            again();
          }}
        />
      )}
      <ol class="history">
        {versions.map((version, index) => (
          <li key={version.version}>
            <p>
              <strong>Version {version.version}</strong>, {actionWords[version.action]}:{' '}
              <Changed version={version} />
            </p>
            <p>
              <button
                type="button"
                aria-expanded={open === version.version}
                onClick={() => setOpen(open === version.version ? undefined : version.version)}
              >
                Differences of version {version.version}
              </button>{' '}
              {may('write') && version.mapping !== null && version.version !== current?.version && (
                <button type="button" onClick={() => setUndoing(version)}>
                  Back to version {version.version} …
                </button>
              )}
            </p>
            {open === version.version && (
              <Changes
                changes={jsonDifference(documentOf(versions[index + 1]), documentOf(version))}
                caption={`What version ${version.version} changed`}
              />
            )}
          </li>
        ))}
      </ol>
    </>
  );
}

interface UndoProps {
  readonly id: string;
  readonly to: MappingVersion;
  readonly current: MappingVersion | undefined;
  readonly etag: string | undefined;
  readonly onCancel: () => void;
  readonly onDone: () => void;
}

function Undo({ id, to, current, etag, onCancel, onDone }: UndoProps) {
  const override = [current, to].some((version) => version?.mapping?.managedBy === 'git');
  const edit = (reason: string, dryRun: boolean) =>
    editMapping({ id, base: etag, document: to.mapping, reason, dryRun, override });
  const check = useLoad(() => edit(`looks at version ${to.version}`, true), [to, etag]);
  return (
    <section class="card" aria-label={`Back to version ${to.version}`}>
      <h2>Back to version {to.version}</h2>
      {check.state.kind === 'failed' && <ProblemNote problem={check.state.problem} />}
      {check.state.kind === 'loaded' && (
        <>
          <Changes changes={check.state.value.document.changes} caption="What would change" />
          <Confirm
            what={`Go back to version ${to.version}`}
            onCancel={onCancel}
            onConfirmed={async (reason) => {
              const { document } = await edit(reason, false);
              if (!goneToProposal(document)) onDone();
            }}
          />
        </>
      )}
      {check.state.kind === 'loading' && <p role="status">Looking …</p>}
    </section>
  );
}

function documentOf(version: MappingVersion | undefined): unknown {
  return version?.mapping ?? version?.document ?? undefined;
}
