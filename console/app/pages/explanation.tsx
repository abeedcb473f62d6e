import type { Decision, Explanation, FailedCheck, NamedMapping } from '../documents.ts';
import { callerWords, instantWords, principalOf, principalWords } from '../mapping-words.ts';
import { JsonText } from '../parts/json-text.tsx';
import { linkTo } from '../router.ts';
import { may } from '../sign-in/session.ts';
import { visibleJson } from '../visible-text.ts';

const outcomes = {
  allow: 'Allowed',
  deny: 'Denied',
  ambiguous: 'Several roles are allowed: the caller must name one',
  duration_not_allowed: 'Allowed, but not for that long',
} as const;

interface ExplanationProps {
  readonly explanation: Explanation;
  /** What was decided of a request: scopes, groups and claims of its token are not on record, so nothing is judged by them. */
  readonly decision?: Decision;
}

export function ExplanationView({ explanation, decision: decided }: ExplanationProps) {
  const { decision, sts, permitted = [], nearMisses = [], omittedNearMisses = 0 } = explanation;
  if (decided !== undefined) return <DecidedView decided={decided} nearMisses={nearMisses} />;
  return (
    <section>
      <h2>Answer</h2>
      <Verdict answer={explanation} />
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

interface DecidedProps {
  readonly decided: Decision;
  readonly nearMisses: NonNullable<Explanation['nearMisses']>;
}

function DecidedView({ decided, nearMisses }: DecidedProps) {
  const { time, outcome, code, reason, role, asked, mapping } = decided;
  return (
    <section>
      <h2>Answer</h2>
      <div class={`note ${outcome === 'issued' ? 'good' : 'bad'}`}>
        <p>
          <strong>
            {outcome}
            {outcome !== 'issued' && `: ${(reason ?? code ?? '').replaceAll('_', ' ')}`}
          </strong>
          {mapping !== undefined && (
            <>
              {' '}
              by <a href={linkTo(['mappings', mapping])}>{mapping}</a> (version{' '}
              {decided.mappingVersion})
            </>
          )}
        </p>
        <p>
          {asked ?? role ?? 'No role named'}, asked for by {callerWords(decided)},{' '}
          <time dateTime={time}>{instantWords(time)}</time>.
        </p>
      </div>
      {code === 'access_denied' && <Mend decided={decided} nearMisses={nearMisses} />}
      {outcome !== 'issued' && code !== 'access_denied' && (
        <p>
          It was not for want of a mapping: docs/errors.md says under <code>{code}</code> what to
          do.
        </p>
      )}
    </section>
  );
}

/** What could be done about a denial. */
function Mend({ decided, nearMisses }: DecidedProps) {
  const { reason, role, asked } = decided;
  if (reason === 'explicit_deny') {
    return <p>A deny wins over everything: it is lifted or changed where it is, or it stays.</p>;
  }
  if (nearMisses.length > 0) return <NearMisses misses={nearMisses} tokenIsUnknown />;
  if (reason !== 'no_mapping' || !may('write')) return null;
  const wanted = asked ?? role;
  return (
    <p>
      No mapping comes near.{' '}
      <a
        class="button"
        href={linkTo(['new'], {
          ...principalOf(decided),
          ...(wanted?.startsWith('arn:') === true ? { role: wanted } : {}),
        })}
      >
        Write one for this caller
      </a>
    </p>
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

interface NearMissesProps {
  readonly misses: NonNullable<Explanation['nearMisses']>;
  readonly tokenIsUnknown?: boolean;
}

function NearMisses({ misses, tokenIsUnknown = false }: NearMissesProps) {
  return (
    <>
      <h2>
        {tokenIsUnknown ? 'What came near, by the policy of now' : 'What came near, and failed'}
      </h2>
      {misses.map((miss) => (
        <div class="card" key={miss.id}>
          <h3>
            <MappingLink mapping={miss} />
          </h3>
          <p>
            {miss.effect} {principalWords(miss.principal)}, owned by {miss.owner}
          </p>
          <Failed checks={miss.failed} tokenIsUnknown={tokenIsUnknown} />
          {may('write') && (
            <p>
              <a class="button" href={linkTo(['edit', miss.id])}>
                Edit {miss.id}
              </a>
            </p>
          )}
        </div>
      ))}
    </>
  );
}

/** Whether only the token could tell. */
function isOfToken({ pointer, expected }: FailedCheck): boolean {
  if (pointer === '/principal') return Object.hasOwn(expected as object, 'group');
  return /^\/conditions\/(?:scopes|claims)(?:\/|$)/.test(pointer);
}

interface FailedProps {
  readonly checks: readonly FailedCheck[];
  readonly tokenIsUnknown?: boolean;
}

function Failed({ checks, tokenIsUnknown = false }: FailedProps) {
  if (checks.length === 0) return <p>Every condition holds.</p>;
  const isUnknown = (check: FailedCheck) => tokenIsUnknown && isOfToken(check);
  return (
    <div class="scroll">
      <table>
        <caption>
          {tokenIsUnknown
            ? 'Conditions that do not hold, or depend on the token'
            : 'Conditions that do not hold'}
        </caption>
        <thead>
          <tr>
            <th scope="col">Condition</th>
            <th scope="col">Expected</th>
            <th scope="col">Actual</th>
          </tr>
        </thead>
        <tbody>
          {checks.map((check) => (
            <tr key={check.pointer}>
              <th scope="row">
                <code>{check.pointer}</code>
              </th>
              <td>
                <code>{visibleJson(check.expected)}</code>
              </td>
              <td>
                {isUnknown(check) ? (
                  'as the token had it, which is not on record'
                ) : (
                  <code>{visibleJson(check.actual)}</code>
                )}
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
