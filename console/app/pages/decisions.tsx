/** What was decided lately, as it is on record, while it happens; and whose an access key is. */

import { useState } from 'preact/hooks';
import type { Decision, DecisionList } from '../documents.ts';
import { callerWords, freezeLink, instantWords, principalOf } from '../mapping-words.ts';
import { ChoiceField, TextField } from '../parts/field.tsx';
import { useLive } from '../parts/live.ts';
import { ProblemNote } from '../parts/loading.tsx';
import { Page } from '../parts/page.tsx';
import { linkTo, noteInAddress, place } from '../router.ts';
import { may } from '../sign-in/session.ts';

const filterNames = ['outcome', 'client', 'mapping', 'requestId', 'accessKeyId'] as const;
type Filter = Readonly<Record<(typeof filterNames)[number], string>>;

const everyMs = 2_000;

export function DecisionsPage() {
  const [filter, setFilter] = useState<Filter>(filterOf(place.value.query));
  const [paused, setPaused] = useState(false);
  const query = new URLSearchParams({ ...given(filter), limit: '100' });
  // Spaces are none of any value, and `+` stands for itself in the API.
  const path = `/v1/decisions?${query.toString().replaceAll('+', '%20')}` as const;
  const { document, problem } = useLive<DecisionList>(path, { everyMs, paused });
  const change = (part: Partial<Filter>) => {
    const next = { ...filter, ...part };
    setFilter(next);
    noteInAddress(linkTo(['decisions'], next));
  };
  const field = (name: keyof Filter, label: string) => (
    <TextField
      label={label}
      value={filter[name]}
      onValue={(value) => change({ [name]: value.trim() })}
    />
  );
  return (
    <Page title="Decisions">
      <search>
        <div class="row">
          <ChoiceField
            label="Outcome"
            value={filter.outcome}
            onValue={(outcome) => change({ outcome })}
            choices={{ '': 'any', issued: 'issued', denied: 'denied', failed: 'failed' }}
          />
          {field('client', 'App client')}
          {field('mapping', 'Mapping')}
        </div>
        <div class="row">
          {field('requestId', 'Request id')}
          {field('accessKeyId', 'Access key id')}
          <button type="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>
            {paused ? 'Go on' : 'Hold'}
          </button>
        </div>
      </search>
      {problem !== undefined && <ProblemNote problem={problem} />}
      {document !== undefined && <Decisions list={document} accessKeyId={filter.accessKeyId} />}
    </Page>
  );
}

function Decisions({
  list: { items, remembered, since },
  accessKeyId,
}: {
  readonly list: DecisionList;
  readonly accessKeyId: string;
}) {
  return (
    <>
      <p class="quiet">
        This instance remembers {remembered} decisions
        {since === null ? '' : `, since ${instantWords(since)}`}. Older ones, and those of other
        instances, are in the audit log:{' '}
        <code>
          token-broker audit find
          {accessKeyId === '' ? '' : ` --access-key-id ${shellWord(accessKeyId)}`}
        </code>
      </p>
      {items.length === 0 ? (
        <p>None that match.</p>
      ) : (
        <ol class="history">
          {items.map((decision) => (
            <DecisionItem key={decision.requestId + decision.time} decision={decision} />
          ))}
        </ol>
      )}
    </>
  );
}

const outcomeClass = { issued: 'good', denied: 'bad', failed: 'warn' } as const;

function DecisionItem({ decision }: { readonly decision: Decision }) {
  const { time, outcome, code, reason, requestId, sourceIp, repeats = 0 } = decision;
  const why = reason ?? code;
  const question = outcome === 'issued' ? 'Explain' : 'Why?';
  const principal = principalOf(decision);
  return (
    <li>
      <p>
        <strong class={outcomeClass[outcome]}>{outcome}</strong>
        {why !== undefined && ` (${why.replaceAll('_', ' ')})`}{' '}
        <time dateTime={time}>{instantWords(time)}</time>
        {repeats > 0 && `, and ${repeats} more like it`}
      </p>
      <dl>
        <dt>Caller</dt>
        <dd>
          {callerWords(decision)}, from {sourceIp}
        </dd>
        <dt>Role</dt>
        <dd>
          {decision.role ?? decision.asked ?? 'none named'}
          {decision.mapping !== undefined && (
            <>
              {' '}
              by <a href={linkTo(['mappings', decision.mapping])}>{decision.mapping}</a> (version{' '}
              {decision.mappingVersion})
            </>
          )}
        </dd>
        {decision.accessKeyId !== undefined && (
          <>
            <dt>Access key</dt>
            <dd>
              {decision.accessKeyId}, session {decision.sessionName}, until{' '}
              {instantWords(decision.expiration ?? '')}
              {decision.cached === true ? ', from the cache' : ''}
            </dd>
          </>
        )}
        <dt>Request</dt>
        <dd>
          {requestId}{' '}
          {decision.client !== undefined && (
            <a
              class="button"
              href={linkTo(['explain'], { requestId })}
              aria-label={`${question} Request ${requestId}`}
            >
              {question}
            </a>
          )}{' '}
          {may('freeze') && principal !== undefined && (
            <a class="button" href={freezeLink(principal)}>
              Freeze this caller …
            </a>
          )}
        </dd>
      </dl>
    </li>
  );
}

function filterOf(query: URLSearchParams): Filter {
  return Object.fromEntries(filterNames.map((name) => [name, query.get(name) ?? ''])) as Filter;
}

function given(filter: Filter): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ''));
}

/** Nothing that a shell would read as more than a word. */
function shellWord(text: string): string {
  return /^[A-Za-z0-9]+$/.test(text) ? text : 'ASIA…';
}
