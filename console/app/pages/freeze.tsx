/** The kill switch: what is frozen, freezing, and lifting. */

import { useEffect, useState } from 'preact/hooks';
import { type ApiProblem, callApi } from '../api.ts';
import type { EditAnswer, FreezeAnswer, ListedFreeze } from '../documents.ts';
import { readFreezes } from '../freezes.ts';
import { reasonHeader } from '../mapping-edits.ts';
import { principalWords } from '../mapping-words.ts';
import { type PrincipalKind, suggestedNames, useNames, useOnlyPool } from '../names.ts';
import { Confirm } from '../parts/confirm.tsx';
import { ConfirmEdit } from '../parts/confirm-edit.tsx';
import { ChoiceField, TextField } from '../parts/field.tsx';
import { JsonText } from '../parts/json-text.tsx';
import { asProblem, Loaded, ProblemNote, useLoad } from '../parts/loading.tsx';
import { Page } from '../parts/page.tsx';
import { Reason } from '../parts/said.tsx';
import { Warnings } from '../parts/warnings.tsx';
import { place } from '../router.ts';
import { may } from '../sign-in/session.ts';
import { useTyped } from '../typed.ts';

export function FreezePageView() {
  const load = useLoad(readFreezes, []);
  return (
    <Page title="Freeze">
      {may('freeze') ? (
        <NewFreeze onDone={load.again} />
      ) : (
        <p class="note">Your token has no scope to freeze.</p>
      )}
      <h2>What is frozen</h2>
      <Loaded load={load}>
        {(items) =>
          items.length === 0 ? (
            <p>Nothing.</p>
          ) : (
            <ul class="history">
              {items.map((item) => (
                <FreezeItem key={item.mapping.id} item={item} again={load.again} />
              ))}
            </ul>
          )
        }
      </Loaded>
    </Page>
  );
}

function FreezeItem({ item, again }: { readonly item: ListedFreeze; readonly again: () => void }) {
  const { id, principal, role, description } = item.mapping;
  const [lifting, setLifting] = useTyped(`lifting ${id}`, false);
  return (
    <li>
      <p>
        <strong>{principalWords(principal)}</strong>, {role === '*' ? 'every role' : role}
        <Reason text={description} />
      </p>
      <p>
        Takes away {item.takesAway.roles} roles by {item.takesAway.mappings} mappings.{' '}
        {may('write') && !lifting && (
          <button type="button" onClick={() => setLifting(true)}>
            Lift the freeze of {principalWords(principal)} …
          </button>
        )}
      </p>
      {lifting && (
        <ConfirmEdit
          what="Lift the freeze"
          about={id}
          inputs={[id, item.version]}
          edit={(reason, dryRun) => lift(id, reason, dryRun)}
          onCancel={() => setLifting(false)}
          onDone={again}
        />
      )}
    </li>
  );
}

async function lift(id: string, reason: string, dryRun: boolean): Promise<EditAnswer> {
  const path = `/v1/freezes/${encodeURIComponent(id)}${dryRun ? '?dryRun=true' : ''}` as const;
  const headers = reasonHeader(reason);
  return (await callApi<EditAnswer>(path, { method: 'DELETE', headers })).document;
}

interface Target {
  readonly kind: PrincipalKind;
  readonly pool: string;
  readonly name: string;
  readonly role: string;
}

function NewFreeze({ onDone }: { readonly onDone: () => void }) {
  const named = targetOf(place.value.query);
  const [target, setTarget] = useTyped<Target>('target', named);
  const [preview, setPreview] = useState<FreezeAnswer>();
  const [done, setDone] = useState<FreezeAnswer>();
  const [problem, setProblem] = useState<ApiProblem>();
  const change = (part: Partial<Target>) => {
    setTarget((before) => ({ ...before, ...part }));
    setPreview(undefined);
    setDone(undefined);
  };
  const names = useNames();
  useOnlyPool(names, setTarget);
  const look = () => {
    setProblem(undefined);
    freeze(target, 'looks at what a freeze would take away', true).then(
      setPreview,
      (error: unknown) => setProblem(asProblem(error)),
    );
  };
  // Whoever comes with a name wants to see at once what it holds.
  useEffect(() => {
    if (target.name !== '') look();
  }, []);
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          look();
        }}
      >
        <div class="row">
          <ChoiceField
            label="Freeze"
            value={target.kind}
            onValue={(kind) => change({ kind: kind as PrincipalKind })}
            choices={{
              client: 'an app client',
              user: 'a user',
              group: 'a group',
              any: 'everybody',
            }}
          />
          <TextField
            label="Pool"
            value={target.pool}
            onValue={(pool) => change({ pool })}
            suggestions={names.pools}
            hint={target.kind === 'any' ? '* is every pool.' : 'Id of the user pool.'}
          />
          {target.kind !== 'any' && (
            <TextField
              label="Name"
              value={target.name}
              onValue={(name) => change({ name })}
              suggestions={suggestedNames[target.kind](names)}
              hint="Id of the client, sub of the user, or the group."
            />
          )}
          <TextField
            label="Role"
            value={target.role}
            onValue={(role) => change({ role })}
            suggestions={names.roles}
            hint="The ARN of one role; empty is every role."
          />
        </div>
        <button type="submit" class="main">
          Show what it takes away
        </button>
      </form>
      {problem !== undefined && <ProblemNote problem={problem} />}
      {preview !== undefined && (
        <section class="card" aria-live="polite">
          <h2>What it takes away</h2>
          <Consequence answer={preview} />
          <Confirm
            what="Freeze now"
            typed={wordOf(target)}
            onConfirmed={async (reason) => {
              setDone(await freeze(target, reason, false));
              setPreview(undefined);
              onDone();
            }}
          />
        </section>
      )}
      {done !== undefined && (
        <section class="note good" aria-live="polite">
          <h2>Frozen</h2>
          <p>
            {done.inForce === true
              ? 'It is in force here, and within seconds everywhere.'
              : 'It is written, and will be in force within seconds.'}
          </p>
          <Consequence answer={done} />
          <p>
            Sessions that exist already go on until they end. To end them, attach this policy to the
            role{done.revokeSessions.role === '*' ? 's' : ` ${done.revokeSessions.role}`} in IAM:
          </p>
          <JsonText value={done.revokeSessions.policy} label="the policy" />
        </section>
      )}
    </>
  );
}

function Consequence({ answer: { takesAway, warnings } }: { readonly answer: FreezeAnswer }) {
  return (
    <>
      <p>
        {takesAway === null
          ? 'This instance has no policy by which it could say.'
          : `${takesAway.roles} roles, by ${takesAway.mappings} mappings that are in force.`}
      </p>
      <Warnings warnings={warnings} />
    </>
  );
}

async function freeze(target: Target, reason: string, dryRun: boolean): Promise<FreezeAnswer> {
  const { kind, pool, name, role } = target;
  const principal = { pool: pool.trim(), [kind]: kind === 'any' ? true : name.trim() };
  const path = `/v1/freezes${dryRun ? '?dryRun=true' : ''}` as const;
  const { document } = await callApi<FreezeAnswer>(path, {
    method: 'POST',
    headers: reasonHeader(reason),
    body: { principal, role: role.trim() === '' ? '*' : role.trim() },
  });
  return document;
}

/** As the address has it, from where somebody or something was seen that is to be stopped. */
function targetOf(query: URLSearchParams): Target {
  const at = (name: string) => query.get(name) ?? '';
  const kind = (['user', 'group'] as const).find((one) => query.has(one)) ?? 'client';
  return { kind, pool: at('pool'), name: at(kind), role: at('role') };
}

/** What must be typed: a slip in the one would have to be made in the other as well. */
function wordOf({ kind, name }: Target): string {
  return kind === 'any' ? 'everybody' : name.trim();
}
