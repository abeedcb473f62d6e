/** All role mappings in force: searched and filtered here, so that ten thousand of them need no wait. */

import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import type { ApiProblem } from '../api.ts';
import type { ListedMapping } from '../documents.ts';
import { readAllMappings } from '../mapping-edits.ts';
import { instantWords, principalWords, type Status, statusOf } from '../mapping-words.ts';
import { ChoiceField, TextField } from '../parts/field.tsx';
import { asProblem, ProblemNote } from '../parts/loading.tsx';
import { Page } from '../parts/page.tsx';
import { linkTo, noteInAddress, place } from '../router.ts';
import { may } from '../sign-in/session.ts';

interface Row {
  readonly listed: ListedMapping;
  readonly principal: string;
  readonly status: Status;
  /** All that a search looks into, in lower case. */
  readonly text: string;
}

interface Filter {
  readonly text: string;
  readonly effect: string;
  readonly status: string;
}

const rowsShown = 50;

export function MappingsPage() {
  const { rows, complete, unreadable, issuedSince, problem, again } = useRows();
  const [filter, setFilter] = useState<Filter>(filterOf(place.value.query));
  const [shown, setShown] = useState(rowsShown);
  const matching = useMemo(() => rows.filter((row) => matches(row, filter)), [rows, filter]);
  const change = (part: Partial<Filter>) => {
    const next = { ...filter, ...part };
    setFilter(next);
    setShown(rowsShown);
    noteInAddress(linkTo(['mappings'], { ...next }));
  };
  return (
    <Page title="Mappings">
      <search class="row">
        <TextField
          label="Search"
          type="search"
          value={filter.text}
          onValue={(text) => change({ text })}
          hint="Id, principal, role, owner or description; several words must all be there."
        />
        <ChoiceField
          label="Effect"
          value={filter.effect}
          onValue={(effect) => change({ effect })}
          choices={{ '': 'any', allow: 'allow', deny: 'deny' }}
        />
        <ChoiceField
          label="Status"
          value={filter.status}
          onValue={(status) => change({ status })}
          choices={{
            '': 'any',
            'in force': 'in force',
            disabled: 'disabled',
            'not yet': 'not yet',
            ended: 'ended',
          }}
        />
        {may('write') && (
          <a class="button" href={linkTo(['new'])}>
            New mapping
          </a>
        )}
      </search>
      {problem !== undefined && (
        <>
          <ProblemNote problem={problem} />
          <button type="button" onClick={again}>
            Try again
          </button>
        </>
      )}
      {unreadable.length > 0 && (
        <div class="note bad">
          <p>Rows of the table that cannot be read, and are not in force as they stand:</p>
          <ul>
            {unreadable.map((id) => (
              <li key={id}>
                <a href={linkTo(['mappings', id])}>{id}</a>
              </li>
            ))}
          </ul>
        </div>
      )}
      <p role="status">
        {complete || problem !== undefined ? '' : 'Loading … '}
        {matching.length} of {rows.length} mappings
      </p>
      <MappingTable rows={matching.slice(0, shown)} />
      {issuedSince !== '' && (
        <p class="quiet">
          Last issued is by this instance, since {instantWords(issuedSince)}. What others and
          earlier ones have issued is in the audit logs: <code>token-broker review</code>
        </p>
      )}
      {matching.length > shown && (
        <button type="button" onClick={() => setShown(shown + rowsShown)}>
          Show more
        </button>
      )}
    </Page>
  );
}

function MappingTable({ rows }: { readonly rows: readonly Row[] }) {
  return (
    <div class="scroll">
      <table class="wide">
        <caption class="unseen">Role mappings</caption>
        <thead>
          <tr>
            <th scope="col">Id</th>
            <th scope="col">Effect</th>
            <th scope="col">Principal</th>
            <th scope="col">Role</th>
            <th scope="col">Owner</th>
            <th scope="col">Status</th>
            <th scope="col">Expires</th>
            <th scope="col">Last issued</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ listed: { mapping, lastIssuedAt }, principal, status }) => (
            <tr key={mapping.id}>
              <th scope="row">
                <a href={linkTo(['mappings', mapping.id])}>{mapping.id}</a>
              </th>
              <td class={mapping.effect === 'deny' ? 'bad' : undefined}>{mapping.effect}</td>
              <td>{principal}</td>
              <td>{mapping.role === '*' ? 'every role' : mapping.role}</td>
              <td>{mapping.owner}</td>
              <td class={status === 'in force' ? 'good' : 'warn'}>{status}</td>
              <td>
                {mapping.conditions.expiresAt === undefined
                  ? 'never'
                  : instantWords(mapping.conditions.expiresAt)}
              </td>
              <td>{mapping.effect === 'allow' && lastIssuedWords(lastIssuedAt)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function lastIssuedWords(lastIssuedAt: string | null): string {
  return lastIssuedAt === null ? 'not' : instantWords(lastIssuedAt);
}

function useRows() {
  const [rows, setRows] = useState<readonly Row[]>([]);
  const [unreadable, setUnreadable] = useState<readonly string[]>([]);
  const [complete, setComplete] = useState(false);
  const [issuedSince, setIssuedSince] = useState('');
  const [problem, setProblem] = useState<ApiProblem>();
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let wanted = true;
    const now = Date.now();
    setRows([]);
    setProblem(undefined);
    readAllMappings(
      ({ items, quarantined, issuedSince: since }) => {
        setIssuedSince(since);
        setRows((before) => [...before, ...items.map((listed) => rowOf(listed, now))]);
        setUnreadable(quarantined.map(({ id }) => id));
      },
      () => wanted,
    ).then(
      () => wanted && setComplete(true),
      (error: unknown) => wanted && setProblem(asProblem(error)),
    );
    return () => {
      wanted = false;
    };
  }, [turn]);
  const again = useCallback(() => setTurn((before) => before + 1), []);
  return { rows, complete, unreadable, issuedSince, problem, again };
}

function rowOf(listed: ListedMapping, now: number): Row {
  const { id, description, role, owner } = listed.mapping;
  const principal = principalWords(listed.mapping.principal);
  return {
    listed,
    principal,
    status: statusOf(listed.mapping, now),
    text: [id, description, role, owner, principal].join('\n').toLowerCase(),
  };
}

function matches({ listed, status, text }: Row, filter: Filter): boolean {
  if (filter.effect !== '' && listed.mapping.effect !== filter.effect) return false;
  if (filter.status !== '' && status !== filter.status) return false;
  const words = filter.text.toLowerCase().split(/\s+/);
  return words.every((word) => text.includes(word));
}

function filterOf(query: URLSearchParams): Filter {
  const at = (name: string) => query.get(name) ?? '';
  return { text: at('text'), effect: at('effect'), status: at('status') };
}
