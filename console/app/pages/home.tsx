/** Home: how this instance is, what is frozen, and what it refuses. */

import { Fragment } from 'preact';
import { callApi } from '../api.ts';
import type { FreezePage, InstanceStatus } from '../documents.ts';
import { instantWords, principalWords } from '../mapping-words.ts';
import { useLive } from '../parts/live.ts';
import { Loaded, ProblemNote, useLoad } from '../parts/loading.tsx';
import { Page } from '../parts/page.tsx';

const everyMs = 5_000;

export function HomePage() {
  const { document: status, problem } = useLive<InstanceStatus>('/v1/status', { everyMs });
  return (
    <Page title="Home">
      {problem !== undefined && <ProblemNote problem={problem} />}
      <div class="cards">
        <FreezeCard />
        {status !== undefined && (
          <>
            <HealthCard status={status} />
            <PolicyCard status={status} />
            <CountsCard status={status} />
          </>
        )}
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

function CountsCard({ status: { requests, refusals } }: { readonly status: InstanceStatus }) {
  return (
    <section class="card">
      <h2>Requests for credentials</h2>
      {requests.length === 0 && <p>None since its start.</p>}
      <dl>
        {requests.map(({ outcome, count }) => (
          <Fragment key={outcome}>
            <dt>{outcome}</dt>
            <dd>{count}</dd>
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
