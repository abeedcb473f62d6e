/** A new mapping, or another version of one: by form or as JSON, checked by the API while it is written. */

import { useEffect, useState } from 'preact/hooks';
import { ApiProblem } from '../api.ts';
import type { EditAnswer, RoleMapping } from '../documents.ts';
import { editMapping, goneToProposal, readMapping } from '../mapping-edits.ts';
import { policyCharacters, policyCharactersAllowed } from '../mapping-words.ts';
import { Changes } from '../parts/changes.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { LongField } from '../parts/field.tsx';
import { asProblem, Loaded, ProblemNote, useLoad } from '../parts/loading.tsx';
import { Page } from '../parts/page.tsx';
import { Warnings } from '../parts/warnings.tsx';
import { goTo, linkTo, place } from '../router.ts';
import { useTyped } from '../typed.ts';
import { visibleJson } from '../visible-text.ts';
import { Conflict } from './edit-conflict.tsx';
import { type Draft, draftOf } from './edit-draft.ts';
import { MappingForm } from './edit-form.tsx';
import { WhoIsConcerned } from './edit-reach.tsx';

/** With what the address says of the principal and the role: whoever comes from a denial has seen both. */
function begunMapping(query: URLSearchParams) {
  const at = (name: string) => query.get(name) ?? '';
  const kind = (['user', 'group'] as const).find((one) => query.has(one)) ?? 'client';
  return {
    id: '',
    description: '',
    principal: { pool: at('pool'), [kind]: at(kind) },
    effect: 'allow',
    role: at('role'),
    conditions: {},
    owner: '',
  };
}

export function NewPage() {
  const text = visibleJson(begunMapping(place.value.query));
  return (
    <Page title="New mapping">
      <Editor draft={{ base: undefined, read: undefined, text }} />
    </Page>
  );
}

export function EditPage({ rest: [id = ''] }: { readonly rest: readonly string[] }) {
  const load = useLoad(() => readMapping(id), [id]);
  return (
    <Page title={`Edit ${id}`}>
      <Loaded load={load}>
        {({ document, etag }) => <Editor draft={draftOf(document, etag)} />}
      </Loaded>
    </Page>
  );
}

type Check =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'good'; readonly answer: EditAnswer }
  | { readonly kind: 'refused'; readonly problem: ApiProblem };

const quietMs = 500;

function Editor({ draft: begun }: { readonly draft: Draft }) {
  const [draft, setDraft] = useTyped('draft', begun);
  const [byForm, setByForm] = useTyped('by form', true);
  const [conflict, setConflict] = useState(false);
  const parsed = parse(draft.text);
  const check = useCheck(draft, parsed);
  const setText = (text: string) => setDraft({ ...draft, text });
  const save = async (reason: string) => {
    try {
      const { document } = await editMapping({ ...editOf(draft, parsed), reason, dryRun: false });
      if (!goneToProposal(document)) goTo(linkTo(['mappings', document.id]));
    } catch (error) {
      if (error instanceof ApiProblem && error.code === 'precondition_failed') setConflict(true);
      throw error;
    }
  };
  return (
    <>
      <fieldset class="row">
        <legend>Written</legend>
        <label>
          <input type="radio" name="way" checked={byForm} onChange={() => setByForm(true)} /> by
          form
        </label>
        <label>
          <input type="radio" name="way" checked={!byForm} onChange={() => setByForm(false)} /> as
          JSON
        </label>
      </fieldset>
      {byForm && parsed !== undefined ? (
        <MappingForm
          mapping={parsed}
          isNew={draft.base === undefined}
          onMapping={(mapping) => setText(visibleJson(mapping))}
        />
      ) : (
        <LongField label="Document" value={draft.text} onValue={setText} rows={24} />
      )}
      <h2>Check</h2>
      {parsed === undefined ? (
        <p class="note bad" role="alert">
          This is no JSON object, so neither form nor check can read it.
        </p>
      ) : (
        <>
          <Size document={parsed} />
          <div aria-live="polite">
            <CheckView check={check} before={draft.read} />
          </div>
        </>
      )}
      {conflict ? (
        <Conflict
          id={editOf(draft, parsed).id}
          draft={draft}
          wanted={parsed}
          onDraft={(next) => {
            setDraft(next);
            setConflict(false);
          }}
        />
      ) : (
        <>
          <h2>Save</h2>
          {check.kind === 'good' ? (
            <Confirm
              what={check.answer.needsApproval === true ? 'Propose' : 'Save'}
              about="edit"
              danger={false}
              onConfirmed={save}
            />
          ) : (
            <p class="quiet">What is refused by the check cannot be saved.</p>
          )}
        </>
      )}
    </>
  );
}

function CheckView({
  check,
  before,
}: {
  readonly check: Check;
  readonly before: RoleMapping | undefined;
}) {
  switch (check.kind) {
    case 'waiting':
      return <p>Checking …</p>;
    case 'refused':
      return <ProblemNote problem={check.problem} />;
    case 'good':
      return (
        <>
          <p class="good">
            {check.answer.needsApproval === true
              ? 'The broker would take it once a second administrator approves it: saved, it waits as a proposal.'
              : 'The broker would take it.'}
          </p>
          <Warnings warnings={check.answer.warnings} />
          <WhoIsConcerned before={before} after={check.answer.mapping ?? undefined} />
          <Changes changes={check.answer.changes} caption="What would change" />
        </>
      );
  }
}

function Size({ document }: { readonly document: Json }) {
  const used = policyCharacters(document);
  return (
    <p>
      Session policy: {used} of {policyCharactersAllowed} characters before claims are put in.{' '}
      <meter
        aria-label="Characters of the session policy"
        min={0}
        max={policyCharactersAllowed}
        high={policyCharactersAllowed * 0.8}
        value={used}
      />
    </p>
  );
}

type Json = Readonly<Record<string, unknown>>;

/** Asks the API once the writer pauses; an answer to what was written before is not shown. */
function useCheck(draft: Draft, parsed: Json | undefined): Check {
  const [check, setCheck] = useState<Check>({ kind: 'waiting' });
  const { base, text } = draft;
  useEffect(() => {
    let current = true;
    setCheck({ kind: 'waiting' });
    if (parsed === undefined) return;
    const timer = setTimeout(() => {
      editMapping({
        ...editOf(draft, parsed),
        reason: 'check while it is written',
        dryRun: true,
      }).then(
        ({ document }) => current && setCheck({ kind: 'good', answer: document }),
        (error: unknown) => current && setCheck({ kind: 'refused', problem: asProblem(error) }),
      );
    }, quietMs);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [base, text]);
  return check;
}

function editOf({ base, read }: Draft, parsed: Json | undefined) {
  const id = read?.id ?? String(parsed?.['id'] ?? '');
  const override = [read, parsed].some((one) => one?.['managedBy' as keyof typeof one] === 'git');
  // Without an id there is no path; the API says what is wrong with the document under any.
  return { id: id === '' ? 'new' : id, base, document: parsed ?? {}, override };
}

function parse(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}
