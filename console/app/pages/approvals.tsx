/** Changes that wait for a second administrator: what each would do, for whom, and the word on it. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { callApi } from '../api.ts';
import type { Proposal } from '../documents.ts';
import { readFreezes } from '../freezes.ts';
import { instantWords, principalWords } from '../mapping-words.ts';
import { Changes } from '../parts/changes.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { JsonText } from '../parts/json-text.tsx';
import { Loaded, useLoad } from '../parts/loading.tsx';
import { Page } from '../parts/page.tsx';
import { Actor, Reason } from '../parts/said.tsx';
import { liftsFreeze, proposalWords, readProposals } from '../proposals.ts';
import { linkTo } from '../router.ts';
import { isOneself, may } from '../sign-in/session.ts';
import { useTyped } from '../typed.ts';

export function ApprovalsPage() {
  const load = useLoad(readProposals, []);
  return (
    <Page title="Approvals">
      <Loaded load={load}>
        {(items) => (
          <>
            <h2>Waiting</h2>
            <Proposals items={items.filter(({ state }) => state === 'open')} />
            <h2>Over</h2>
            <Proposals items={items.filter(({ state }) => state !== 'open')} />
            <p class="quiet">Older ones are in the admin API.</p>
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
      {items.map((proposal) => (
        <li key={proposal.id}>
          <p>
            <a href={linkTo(['approvals', proposal.id])}>{proposalWords(proposal)}</a>,{' '}
            {proposal.state}
          </p>
          <Proposed proposal={proposal} />
        </li>
      ))}
    </ul>
  );
}

/** By whom, when and why. */
function Proposed({ proposal: { author, createdAt, reason } }: { readonly proposal: Proposal }) {
  return (
    <>
      <Actor named={author.name} />
      {author.machine && ' (a machine)'}
      {author.administrator === false && ' (no administrator any more)'},{' '}
      <time dateTime={createdAt}>{instantWords(createdAt)}</time>
      <Reason text={reason} />
    </>
  );
}

export function ApprovalPage({ rest: [id = ''] }: { readonly rest: readonly string[] }) {
  const load = useLoad(() => callApi<Proposal>(`/v1/proposals/${encodeURIComponent(id)}`), [id]);
  return (
    <Page title="Approval">
      <Loaded load={load}>
        {({ document: proposal }) => (
          <Details key={proposal.id} proposal={proposal} again={load.again} />
        )}
      </Loaded>
    </Page>
  );
}

interface DetailsProps {
  readonly proposal: Proposal;
  readonly again: () => void;
}

function Details({ proposal, again }: DetailsProps) {
  const { action, mappingId, state, author, expiresAt, closed } = proposal;
  const [said, setSaid] = useState<Word>();
  return (
    <>
      {state === 'open' && isOneself(author.name) && (
        <p class="note">
          You have proposed this, so another administrator decides. Nothing is changed until then.
          They find it under Approvals, or by the address of this page.
        </p>
      )}
      <dl>
        <dt>What</dt>
        <dd>
          {liftsFreeze(proposal) ? `${proposalWords(proposal)}: ` : `${action} `}
          <a href={linkTo(['mappings', mappingId])}>{mappingId}</a>
        </dd>
        <dt>State</dt>
        <dd>
          {state}
          {state === 'open' && `, until ${instantWords(expiresAt)}`}
          {closed !== null && (
            <>
              {closed.by !== '' && (
                <>
                  {' '}
                  by <Actor named={closed.by} />
                </>
              )}
              , {instantWords(closed.at)}
              <Reason text={closed.reason} />
            </>
          )}
        </dd>
        <dt>Proposed by</dt>
        <dd>
          <Proposed proposal={proposal} />
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
      {said !== undefined && <Done said={said} />}
      {said === undefined && state === 'open' && may('write') && (
        <Words
          proposal={proposal}
          onSaid={(word) => {
            setSaid(word);
            again();
          }}
        />
      )}
    </>
  );
}

const effects = { gains: 'gains', loses: 'loses', terms: 'has on other terms' } as const;

/** A deny that goes gives nothing of its own: what comes back is what role mappings give. */
function affectedWords(
  { principal, role, effect }: Proposal['affected'][number],
  lifts: boolean,
): string {
  const who = principalWords(principal);
  const isEvery = role === '*';
  if (effect === 'gains' && (isEvery || lifts))
    return `${who} gets back ${isEvery ? 'the roles' : role}, as far as role mappings give ${isEvery ? 'them' : 'it'}`;
  return `${who} ${effects[effect]} ${isEvery ? 'every role' : role}`;
}

/** By the policy of the moment; nothing of a freeze that is gone meanwhile. */
function Regained({ id }: { readonly id: string }) {
  const load = useLoad(readFreezes, [id]);
  return (
    <Loaded load={load}>
      {(freezes) => {
        const freeze = freezes.find(({ mapping }) => mapping.id === id);
        if (freeze === undefined) return null;
        const { roles, mappings } = freeze.takesAway;
        return (
          <p>
            At the moment it takes away {roles} roles by {mappings} mappings.
          </p>
        );
      }}
    </Loaded>
  );
}

function ForWhom({ proposal }: { readonly proposal: Proposal }) {
  const { affected, recentCallers = [] } = proposal;
  return (
    <div class="note">
      <p>
        <strong>For whom</strong>
      </p>
      {affected.length === 0 && <p>For nobody, by this mapping alone.</p>}
      <ul>
        {affected.map((one) => (
          <li key={one.effect + principalWords(one.principal) + one.role}>
            {affectedWords(one, liftsFreeze(proposal))}
          </li>
        ))}
      </ul>
      {liftsFreeze(proposal) && proposal.state === 'open' && <Regained id={proposal.mappingId} />}
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

const doneWords: Readonly<Record<Word, string>> = {
  approve: 'Applied: the change is written.',
  reject: 'Rejected: nothing is changed.',
  withdraw: 'Withdrawn: nothing is changed.',
};

/** Where the button was, which had the focus. */
function Done({ said }: { readonly said: Word }) {
  const note = useRef<HTMLParagraphElement>(null);
  useEffect(() => note.current?.focus(), []);
  return (
    <p class="note good" role="status" tabIndex={-1} ref={note}>
      {doneWords[said]}
    </p>
  );
}

interface WordsProps {
  readonly proposal: Proposal;
  readonly onSaid: (word: Word) => void;
}

/** What is of no use to the author is not offered; who may say what is the API's to know, and it says why not. */
function Words({ proposal: { id, sha256, author }, onSaid }: WordsProps) {
  const [word, setWord] = useTyped<Word | null>('word', null);
  const own = isOneself(author.name);
  const say = async (said: Word, reason: string) => {
    await callApi(`/v1/proposals/${encodeURIComponent(id)}/${said}`, {
      method: 'POST',
      body: said === 'approve' ? { sha256, reason } : { reason },
    });
    onSaid(said);
  };
  return (
    <section aria-label="Your word">
      <h2>Your word</h2>
      <div class="row">
        {(own ? (['withdraw'] as const) : (['approve', 'reject'] as const)).map((one) => (
          <button key={one} type="button" onClick={() => setWord(one)}>
            {words[one]} …
          </button>
        ))}
      </div>
      {word !== null && (
        <Confirm
          key={word}
          what={words[word]}
          danger={word === 'approve'}
          onCancel={() => setWord(null)}
          onConfirmed={(reason) => say(word, reason)}
        />
      )}
    </section>
  );
}
