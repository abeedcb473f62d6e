/** Changes that wait for a second administrator: what each would do, for whom, and the word on it. */

import { useState } from 'preact/hooks';
import { callApi } from '../api.ts';
import type { Proposal, ProposalPage } from '../documents.ts';
import { instantWords, principalWords } from '../mapping-words.ts';
import { Changes } from '../parts/changes.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { JsonText } from '../parts/json-text.tsx';
import { Loaded, useLoad } from '../parts/loading.tsx';
import { Page } from '../parts/page.tsx';
import { linkTo } from '../router.ts';
import { may } from '../sign-in/session.ts';

export function ApprovalsPage() {
  const load = useLoad(() => callApi<ProposalPage>('/v1/proposals?limit=100'), []);
  return (
    <Page title="Approvals">
      <Loaded load={load}>
        {({ document: { items, nextCursor } }) => (
          <>
            <h2>Waiting</h2>
            <Proposals items={items.filter(({ state }) => state === 'open')} />
            <h2>Over</h2>
            <Proposals items={items.filter(({ state }) => state !== 'open')} />
            {nextCursor !== undefined && <p class="quiet">Older ones are in the admin API.</p>}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Proposals({ items }: { readonly items: readonly Proposal[] }) {
  if (items.length === 0) return <p>None.</p>;
  return (
    <ul class="history">
      {items.map(({ id, state, action, mappingId, author, reason, createdAt }) => (
        <li key={id}>
          <p>
            <a href={linkTo(['approvals', id])}>
              {action} {mappingId}
            </a>
            , {state}: {reason}
          </p>
          <p class="quiet">
            {author.name}, <time dateTime={createdAt}>{instantWords(createdAt)}</time>
          </p>
        </li>
      ))}
    </ul>
  );
}

export function ApprovalPage({ rest: [id = ''] }: { readonly rest: readonly string[] }) {
  const load = useLoad(() => callApi<Proposal>(`/v1/proposals/${encodeURIComponent(id)}`), [id]);
  return (
    <Page title="Approval">
      <Loaded load={load}>
        {({ document: proposal }) => <Details proposal={proposal} again={load.again} />}
      </Loaded>
    </Page>
  );
}

interface DetailsProps {
  readonly proposal: Proposal;
  readonly again: () => void;
}

function Details({ proposal, again }: DetailsProps) {
  const { action, mappingId, state, author, reason, createdAt, expiresAt, closed } = proposal;
  return (
    <>
      <dl>
        <dt>What</dt>
        <dd>
          {action} <a href={linkTo(['mappings', mappingId])}>{mappingId}</a>
        </dd>
        <dt>State</dt>
        <dd>
          {state}
          {state === 'open' && `, until ${instantWords(expiresAt)}`}
          {closed !== null && `: ${closed.reason} (${closed.by}, ${instantWords(closed.at)})`}
        </dd>
        <dt>Proposed by</dt>
        <dd>
          {author.name}, {instantWords(createdAt)}: {reason}
        </dd>
        <dt>SHA-256</dt>
        <dd>
          <code>{proposal.sha256}</code>
        </dd>
      </dl>
      <ForWhom proposal={proposal} />
      <h2>What would be written</h2>
      <Changes changes={proposal.changes} caption="What would change" />
      {proposal.mapping !== null && <JsonText value={proposal.mapping} label="the document" />}
      {state === 'open' && may('write') && <Words proposal={proposal} again={again} />}
    </>
  );
}

const effects = { gains: 'gains', loses: 'loses', terms: 'has on other terms' } as const;

function ForWhom({ proposal: { affected, recentCallers = [] } }: { readonly proposal: Proposal }) {
  return (
    <div class="note">
      <p>
        <strong>For whom</strong>
      </p>
      {affected.length === 0 && <p>For nobody, by this mapping alone.</p>}
      <ul>
        {affected.map(({ principal, role, effect }) => (
          <li key={effect + principalWords(principal) + role}>
            {principalWords(principal)} {effects[effect]} {role === '*' ? 'every role' : role}
          </li>
        ))}
      </ul>
      {recentCallers.length > 0 && (
        <>
          <p class="quiet">Who asked this instance for the role lately:</p>
          <ul>
            {recentCallers.map(({ pool, client, subject, outcome, time }) => (
              <li key={`${pool} ${client} ${subject}`}>
                {subject ?? 'nobody that is proven'} by client {client ?? 'unknown'} of{' '}
                {pool ?? 'an unknown pool'}: {outcome}, {instantWords(time)}
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

const words = {
  approve: 'Approve',
  reject: 'Reject',
  withdraw: 'Withdraw',
} as const;
type Word = keyof typeof words;

/** Who may say which is the API's to know: it says why not. */
function Words({ proposal: { id, sha256 }, again }: DetailsProps) {
  const [word, setWord] = useState<Word>();
  const say = async (said: Word, reason: string) => {
    await callApi(`/v1/proposals/${encodeURIComponent(id)}/${said}`, {
      method: 'POST',
      body: said === 'approve' ? { sha256, reason } : { reason },
    });
    again();
  };
  return (
    <section aria-label="Your word">
      <h2>Your word</h2>
      <div class="row">
        {(Object.keys(words) as Word[]).map((one) => (
          <button key={one} type="button" onClick={() => setWord(one)}>
            {words[one]} …
          </button>
        ))}
      </div>
      {word !== undefined && (
        <Confirm
          key={word}
          what={words[word]}
          danger={word === 'approve'}
          onCancel={() => setWord(undefined)}
          onConfirmed={(reason) => say(word, reason)}
        />
      )}
    </section>
  );
}
