/** One role mapping: what it says, who gets its role, its history, and the way back to any version. */

import { useEffect, useState } from 'preact/hooks';
import { type ApiProblem, callApi } from '../api.ts';
import type {
  CurrentMapping,
  MappingVersion,
  Principal,
  PrincipalPage,
  RoleMapping,
  VersionPage,
} from '../documents.ts';
import { jsonDifference } from '../json-difference.ts';
import { editMapping, readMapping, readVersions } from '../mapping-edits.ts';
import { freezeLink, instantWords, principalWords, statusOf } from '../mapping-words.ts';
import { Changes } from '../parts/changes.tsx';
import { ConfirmEdit } from '../parts/confirm-edit.tsx';
import { FaultList } from '../parts/fault-list.tsx';
import { JsonText } from '../parts/json-text.tsx';
import { asProblem, Loaded, ProblemNote, useLoad } from '../parts/loading.tsx';
import { Page } from '../parts/page.tsx';
import { Actor, Reason } from '../parts/said.tsx';
import { linkTo } from '../router.ts';
import { may } from '../sign-in/session.ts';
import { useTyped } from '../typed.ts';

interface Known {
  readonly current: CurrentMapping | undefined;
  readonly etag: string | undefined;
  readonly versions: VersionPage;
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
  return { current: current?.document, etag: current?.etag, versions };
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
          <FaultList faults={current.faults} />
        </div>
      )}
      {mapping !== undefined && <Facts mapping={mapping} current={current as CurrentMapping} />}
      {current !== undefined && may('write') && (
        <Actions
          id={id}
          etag={etag}
          managedBy={mapping?.managedBy}
          principal={mapping?.principal}
          again={again}
        />
      )}
      {mapping !== undefined && mapping.role !== '*' && (
        <WhoGets role={mapping.role} known={known} />
      )}
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
  readonly current: CurrentMapping;
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
      {effect === 'allow' && <LastIssued current={current} />}
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

function LastIssued({ current }: { readonly current: CurrentMapping }) {
  const { id, lastIssuedAt, issuedSince } = current;
  return (
    <>
      <dt>Last issued</dt>
      <dd>
        {lastIssuedAt === null ? 'not' : instantWords(lastIssuedAt)}, by this instance since{' '}
        {instantWords(issuedSince)};{' '}
        <a href={linkTo(['decisions'], { mapping: id })}>its decisions</a>
      </dd>
    </>
  );
}

function Changed({ version }: { readonly version: MappingVersion }) {
  const { updatedAt, updatedBy, actorProven, reason, approvedBy } = version;
  return (
    <>
      <time dateTime={updatedAt}>{instantWords(updatedAt)}</time> by <Actor named={updatedBy} />
      {actorProven ? '' : ' (a name that nothing proved)'}
      {approvedBy !== undefined && (
        <>
          , approved by <Actor named={approvedBy} />
        </>
      )}
      <Reason text={reason} />
    </>
  );
}

interface ActionsProps {
  readonly id: string;
  readonly etag: string | undefined;
  readonly managedBy: string | undefined;
  readonly principal: Principal | undefined;
  readonly again: () => void;
}

function Actions({ id, etag, managedBy, principal, again }: ActionsProps) {
  const [deleting, setDeleting] = useTyped('deleting', false);
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
        {principal !== undefined && may('freeze') && (
          <a class="button" href={freezeLink(principal)}>
            Freeze {principalWords(principal)} …
          </a>
        )}
      </div>
      {deleting && (
        <ConfirmEdit
          what={`Delete ${id}`}
          typed={id}
          inputs={[id, etag]}
          edit={async (reason, dryRun) => {
            const override = managedBy === 'git';
            const deletion = { id, base: etag, document: undefined };
            return (await editMapping({ ...deletion, reason, dryRun, override })).document;
          }}
          onCancel={() => setDeleting(false)}
          onDone={() => {
            setDeleting(false);
            again();
          }}
        />
      )}
    </>
  );
}

/** Asked for anew with the mapping: a change of it says something else of who gets its role. */
function WhoGets({ role, known }: { readonly role: string; readonly known: Known }) {
  const load = useLoad(
    () => callApi<PrincipalPage>(`/v1/principals?role=${encodeURIComponent(role)}&limit=50`),
    [role, known],
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
  const { current, etag } = known;
  const { versions, more, problem } = useOlderVersions(id, known.versions);
  const [undoing, setUndoing] = useTyped<MappingVersion | null>('undoing', null);
  const [open, setOpen] = useState<number>();
  return (
    <>
      {undoing !== null && (
        <Undo
          id={id}
          to={undoing}
          current={current}
          etag={etag}
          onCancel={() => setUndoing(null)}
          onDone={() => {
            setUndoing(null);
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
              {(index + 1 < versions.length || more === undefined) && (
                <button
                  type="button"
                  aria-expanded={open === version.version}
                  onClick={() => setOpen(open === version.version ? undefined : version.version)}
                >
                  Differences of version {version.version}
                </button>
              )}{' '}
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
      {problem !== undefined && <ProblemNote problem={problem} />}
      {more !== undefined && (
        <button type="button" onClick={more}>
          Show older versions
        </button>
      )}
    </>
  );
}

/** The first page, and as many more as somebody asks for; without `more` there are none. */
function useOlderVersions(id: string, first: VersionPage) {
  const [older, setOlder] = useState<VersionPage>();
  const [problem, setProblem] = useState<ApiProblem>();
  // A change writes a version on top of what was read.
  useEffect(() => setOlder(undefined), [first]);
  const { nextCursor } = older ?? first;
  const readMore = () => {
    setProblem(undefined);
    readVersions(id, nextCursor).then(
      (page) => setOlder({ ...page, items: [...(older?.items ?? []), ...page.items] }),
      (error: unknown) => setProblem(asProblem(error)),
    );
  };
  return {
    versions: [...first.items, ...(older?.items ?? [])],
    more: nextCursor === undefined ? undefined : readMore,
    problem,
  };
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
  const edit = async (reason: string, dryRun: boolean) =>
    (await editMapping({ id, base: etag, document: to.mapping, reason, dryRun, override }))
      .document;
  return (
    <section class="card" aria-label={`Back to version ${to.version}`}>
      <h2>Back to version {to.version}</h2>
      <ConfirmEdit
        what={`Go back to version ${to.version}`}
        inputs={[to, etag]}
        edit={edit}
        preview={({ changes }) => <Changes changes={changes} caption="What would change" />}
        onCancel={onCancel}
        onDone={onDone}
      />
    </section>
  );
}

function documentOf(version: MappingVersion | undefined): unknown {
  return version?.mapping ?? version?.document ?? undefined;
}
