import type { Explanation, FailedCheck, NamedMapping } from '../documents.ts';
import { principalWords } from '../mapping-words.ts';
import { JsonText } from '../parts/json-text.tsx';
import { linkTo } from '../router.ts';
import { visibleJson } from '../visible-text.ts';

const outcomes = {
  allow: 'Allowed',
  deny: 'Denied',
  ambiguous: 'Several roles are allowed: the caller must name one',
  duration_not_allowed: 'Allowed, but not for that long',
} as const;

export function ExplanationView({ answer }: { readonly answer: Explanation }) {
  const { decision, sts, permitted = [], nearMisses = [], omittedNearMisses = 0 } = answer;
  return (
    <section>
      <h2>Answer</h2>
      <Verdict answer={answer} />
      {decision?.failed !== undefined && <Failed checks={decision.failed} />}
      <Names title="To choose from" mappings={decision?.choices ?? []} />
      {nearMisses.length > 0 && <NearMisses misses={nearMisses} />}
      {omittedNearMisses > 0 && (
        <p class="quiet">And {omittedNearMisses} more that came less near.</p>
      )}
      <Names title="What this caller may have" mappings={permitted} />
      {sts !== undefined && (
        <>
          <h2>What STS would be sent</h2>
          <p>
            Session policy: {sts.policyCharacters} of {sts.policyCharactersAllowed} characters.
          </p>
          <JsonText value={sts} label="the parameters of STS" />
        </>
      )}
    </section>
  );
}

function Verdict({ answer }: { readonly answer: Explanation }) {
  const { refusal, decision, policyRevision } = answer;
  const good = decision?.outcome === 'allow' && refusal === undefined;
  return (
    <div class={`note ${good ? 'good' : 'bad'}`}>
      {refusal !== undefined && (
        <p>
          <strong>Refused: {refusal.code}</strong> {refusal.detail}
        </p>
      )}
      {decision !== undefined && (
        <p>
          <strong>{outcomes[decision.outcome]}</strong>
          {decision.reason !== undefined && `: ${decision.reason.replaceAll('_', ' ')}`}
          {decision.mapping !== undefined && (
            <>
              {' '}
              by <MappingLink mapping={decision.mapping} />
            </>
          )}
        </p>
      )}
      {decision?.allowed !== undefined && (
        <p>
          Between {decision.allowed.minDurationSeconds} and {decision.allowed.maxDurationSeconds}{' '}
          seconds.
        </p>
      )}
      <p class="quiet">By the policy of revision {policyRevision}.</p>
    </div>
  );
}

function NearMisses({ misses }: { readonly misses: NonNullable<Explanation['nearMisses']> }) {
  return (
    <>
      <h2>What came near, and failed</h2>
      {misses.map((miss) => (
        <div class="card" key={miss.id}>
          <h3>
            <MappingLink mapping={miss} />
          </h3>
          <p>
            {miss.effect} {principalWords(miss.principal)}, owned by {miss.owner}
          </p>
          <Failed checks={miss.failed} />
        </div>
      ))}
    </>
  );
}

function Failed({ checks }: { readonly checks: readonly FailedCheck[] }) {
  if (checks.length === 0) return <p>Every condition holds.</p>;
  return (
    <div class="scroll">
      <table>
        <caption>Conditions that do not hold</caption>
        <thead>
          <tr>
            <th scope="col">Condition</th>
            <th scope="col">Expected</th>
            <th scope="col">Actual</th>
          </tr>
        </thead>
        <tbody>
          {checks.map(({ pointer, expected, actual }) => (
            <tr key={pointer}>
              <th scope="row">
                <code>{pointer}</code>
              </th>
              <td>
                <code>{visibleJson(expected)}</code>
              </td>
              <td>
                <code>{visibleJson(actual)}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Names({
  title,
  mappings,
}: {
  readonly title: string;
  readonly mappings: readonly NamedMapping[];
}) {
  if (mappings.length === 0) return null;
  return (
    <>
      <h2>{title}</h2>
      <ul>
        {mappings.map((mapping) => (
          <li key={mapping.id}>
            <MappingLink mapping={mapping} />: {mapping.role}
          </li>
        ))}
      </ul>
    </>
  );
}

function MappingLink({ mapping: { id, version } }: { readonly mapping: NamedMapping }) {
  return (
    <>
      <a href={linkTo(['mappings', id])}>{id}</a> (version {version})
    </>
  );
}
