/** Home: how this instance is, what is frozen, and what it refuses. */

import { Fragment } from 'preact';
import { useRef } from 'preact/hooks';
import { callApi } from '../api.ts';
import type { ChangePage, FreezePage, InstanceStatus } from '../documents.ts';
import { instantWords, principalWords } from '../mapping-words.ts';
import { CopyText } from '../parts/copy-text.tsx';
import { useLive } from '../parts/live.ts';
import { Loaded, ProblemNote, useLoad } from '../parts/loading.tsx';
import { Page } from '../parts/page.tsx';
import { proposalWords, readProposals } from '../proposals.ts';
import { linkTo } from '../router.ts';

const everyMs = 5_000;

export function HomePage() {
  const { document: status, problem } = useLive<InstanceStatus>('/v1/status', { everyMs });
  return (
    <Page title="Home">
      {problem !== undefined && <ProblemNote problem={problem} />}
      <div class="cards">
        <FreezeCard />
        <ApprovalsCard />
        {status !== undefined && (
          <>
            <HealthCard status={status} />
            <PolicyCard status={status} />
            <CountsCard status={status} />
          </>
        )}
        <InstancesCard revision={status?.policy.revision ?? undefined} />
      </div>
    </Page>
  );
}

function FreezeCard() {
  const freezes = useLoad(() => callApi<FreezePage>('/v1/freezes?limit=10'), []);
  return (
    <section class="card">
      <h2>Freezes</h2>
      <Loaded load={freezes}>
        {({ document: { items, nextCursor } }) => (
          <>
            {items.length === 0 && <p class="good">Nothing is frozen.</p>}
            <ul>
              {items.map(({ mapping: { id, principal, role } }) => (
                <li key={id}>
                  {principalWords(principal)}: {role === '*' ? 'every role' : role}
                </li>
              ))}
            </ul>
            <p>
              {nextCursor === undefined ? '' : 'And more. '}
              <a href="#/freeze">Freeze or lift</a>
            </p>
          </>
        )}
      </Loaded>
    </section>
  );
}

function ApprovalsCard() {
  const proposals = useLoad(readProposals, []);
  return (
    <section class="card">
      <h2>Waiting for approval</h2>
      <Loaded load={proposals}>
        {(items) => {
          const open = items.filter(({ state }) => state === 'open');
          if (open.length === 0) return <p>Nothing.</p>;
          return (
            <>
              <ul>
                {open.slice(0, 5).map((proposal) => (
                  <li key={proposal.id}>
                    <a href={linkTo(['approvals', proposal.id])}>{proposalWords(proposal)}</a>
                  </li>
                ))}
              </ul>
              {open.length > 5 && (
                <p>
                  <a href="#/approvals">All that wait</a>
                </p>
              )}
            </>
          );
        }}
      </Loaded>
    </section>
  );
}

const checkWords: Readonly<Record<string, string>> = {
  policy: 'Policy in force',
  keys: 'Keys of the issuers',
  audit: 'Audit log takes records',
  serving: 'Takes requests',
  table: 'Table answers',
};

function HealthCard({ status }: { readonly status: InstanceStatus }) {
  const { checks, sts, version, startedAt } = status;
  return (
    <section class="card">
      <h2>This instance</h2>
      <dl>
        {checks.map(({ name, ok }) => (
          <Fragment key={name}>
            <dt>{checkWords[name] ?? name}</dt>
            <dd class={ok ? 'good' : 'bad'}>{ok ? 'yes' : 'no'}</dd>
          </Fragment>
        ))}
        {sts.map(({ region, result, count }) => (
          <Fragment key={region + result}>
            <dt>
              STS {region}: {result.replaceAll('_', ' ')}
            </dt>
            <dd>{count}</dd>
          </Fragment>
        ))}
        <dt>Version</dt>
        <dd>{version}</dd>
        <dt>Started</dt>
        <dd>{instantWords(startedAt)}</dd>
      </dl>
    </section>
  );
}

function PolicyCard({ status: { policy } }: { readonly status: InstanceStatus }) {
  const { revision, ageSeconds, mappings, quarantined, lagSeconds } = policy;
  return (
    <section class="card">
      <h2>Policy</h2>
      <dl>
        <dt>Policy revision</dt>
        <dd>{revision ?? 'none yet'}</dd>
        <dt>Mappings</dt>
        <dd>{mappings}</dd>
        <dt>Unreadable</dt>
        <dd class={quarantined > 0 ? 'bad' : undefined}>{quarantined}</dd>
        <dt>Table answered</dt>
        <dd>{ageSeconds === null ? 'not yet' : `${ageSeconds.toFixed(1)} s ago`}</dd>
        <dt>Lag of the last edit</dt>
        <dd>{lagSeconds === null ? 'unknown' : `${lagSeconds.toFixed(1)} s`}</dd>
      </dl>
    </section>
  );
}

/** For Prometheus: how many revisions each instance is behind the newest, and how long the last edit took to get there. */
const lagQueries = [
  'scalar(max(tokenbroker_policy_revision)) - tokenbroker_policy_revision',
  'tokenbroker_policy_lag_seconds',
] as const;

/** Instances do not know of each other: this one knows itself and the table. */
function InstancesCard({ revision }: { readonly revision: number | undefined }) {
  const { document: changes, problem } = useLive<ChangePage>('/v1/changes?limit=1', { everyMs });
  const head = changes?.revision;
  const behind = head === undefined || revision === undefined ? undefined : head - revision;
  return (
    <section class="card">
      <h2>Instances</h2>
      {problem !== undefined && <ProblemNote problem={problem} />}
      <dl>
        <dt>Revision of the table</dt>
        <dd>{head ?? 'unknown'}</dd>
        <dt>This instance</dt>
        <dd class={behind === undefined ? undefined : behind > 0 ? 'warn' : 'good'}>
          {behind === undefined
            ? 'unknown'
            : behind > 0
              ? `behind by ${behind}`
              : 'decides by the newest'}
        </dd>
      </dl>
      <p>
        Others are not known here, since no broker writes to the table. Each tells Prometheus; how
        far they are behind, in revisions and in seconds:
      </p>
      {lagQueries.map((query) => (
        <CopyText key={query} text={query} />
      ))}
    </section>
  );
}

function CountsCard({ status: { requests, refusals } }: { readonly status: InstanceStatus }) {
  const rates = useRates(requests);
  return (
    <section class="card">
      <h2>Requests for credentials</h2>
      {requests.length === 0 && <p>None since its start.</p>}
      <dl>
        {requests.map(({ outcome, count }) => (
          <Fragment key={outcome}>
            <dt>{outcome}</dt>
            <dd>
              {count}
              {rates.has(outcome) && `, ${rates.get(outcome)} in the last minute`}
            </dd>
          </Fragment>
        ))}
      </dl>
      {refusals.length > 0 && (
        <>
          <h3>Refusals by code</h3>
          <dl>
            {refusals.slice(0, 12).map(({ code, reason, count }) => (
              <Fragment key={code + reason}>
                <dt>
                  {code} {reason === 'none' ? '' : `(${reason.replaceAll('_', ' ')})`}
                </dt>
                <dd>{count}</dd>
              </Fragment>
            ))}
          </dl>
        </>
      )}
      <p>
        <a href="#/decisions">The decisions themselves</a>
      </p>
    </section>
  );
}

type Counts = InstanceStatus['requests'];

const minuteMs = 60_000;

/** By outcome, how many more there are than a minute ago; nothing before somebody has looked on for as long. */
function useRates(counts: Counts): ReadonlyMap<string, number> {
  const seen = useRef<{ readonly at: number; readonly counts: Counts }[]>([]);
  const now = performance.now();
  const looks = seen.current;
  if (looks.at(-1)?.counts !== counts) looks.push({ at: now, counts });
  // One look from before the minute is kept, to compare with.
  while ((looks[1]?.at ?? now) <= now - minuteMs) looks.shift();
  const [first] = looks;
  if (first === undefined || first.at > now - minuteMs) return new Map();
  const before = new Map(first.counts.map(({ outcome, count }) => [outcome, count]));
  return new Map(counts.map(({ outcome, count }) => [outcome, count - (before.get(outcome) ?? 0)]));
}
