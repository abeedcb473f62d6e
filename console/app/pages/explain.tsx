/** Why somebody gets a role or does not, by the code that decides; and why a request was decided as it was. */

import { useEffect, useState } from 'preact/hooks';
import { ApiProblem, callApi } from '../api.ts';
import type { Decision, DecisionList, Explanation } from '../documents.ts';
import { type Names, useNames, useOnlyPool } from '../names.ts';
import { ChoiceField, LongField, TextField } from '../parts/field.tsx';
import { asProblem, ProblemNote } from '../parts/loading.tsx';
import { Page } from '../parts/page.tsx';
import { place } from '../router.ts';
import { useTyped } from '../typed.ts';
import { ExplanationView } from './explanation.tsx';

interface Question {
  readonly way: 'described' | 'token' | 'request';
  readonly requestId: string;
  readonly pool: string;
  readonly client: string;
  readonly user: string;
  readonly groups: string;
  readonly scopes: string;
  readonly role: string;
  readonly sourceIp: string;
}

type FieldName = Exclude<keyof Question, 'way'>;

interface Answer {
  readonly explanation: Explanation;
  /** What was decided, where the question was about that. */
  readonly decision?: Decision;
}

export function ExplainPage() {
  const [question, setQuestion] = useTyped<Question>('question', asked(place.value.query));
  // Never kept: it is a credential.
  const [token, setToken] = useState('');
  const [answer, setAnswer] = useState<Answer>();
  const [problem, setProblem] = useState<ApiProblem>();
  const names = useNames();
  const change = (part: Partial<Question>) => setQuestion((before) => ({ ...before, ...part }));
  useOnlyPool(names, setQuestion);
  const ask = () => {
    setProblem(undefined);
    answerTo(question, token).then(setAnswer, (error: unknown) => {
      setAnswer(undefined);
      setProblem(asProblem(error));
    });
  };
  // Whoever comes with a request has asked already.
  useEffect(() => {
    if (question.requestId !== '') ask();
  }, []);
  return (
    <Page title="Explain">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          ask();
        }}
      >
        <div class="row">
          <ChoiceField
            label="The caller is"
            value={question.way}
            onValue={(way) => change({ way: way as Question['way'] })}
            choices={{
              described: 'described',
              token: 'whoever a token proves',
              request: 'that of a request which was decided',
            }}
          />
        </div>
        <Fields question={question} change={change} names={names} />
        {question.way === 'token' && (
          <LongField
            label="Token"
            value={token}
            onValue={setToken}
            rows={5}
            hint="It is verified, and that it was explained stays on record. Nothing is issued."
          />
        )}
        <button type="submit" class="main">
          Explain
        </button>
      </form>
      <div aria-live="polite">
        {problem !== undefined && <ProblemNote problem={problem} />}
        {answer !== undefined && <ExplanationView {...answer} />}
      </div>
    </Page>
  );
}

interface FieldsProps {
  readonly question: Question;
  readonly change: (part: Partial<Question>) => void;
  readonly names: Names;
}

function Fields({ question, change, names }: FieldsProps) {
  const field = (
    name: FieldName,
    label: string,
    { hint, suggestions = [] }: { hint?: string; suggestions?: readonly string[] } = {},
  ) => (
    <TextField
      label={label}
      value={question[name]}
      onValue={(value) => change({ [name]: value })}
      suggestions={suggestions}
      {...(hint === undefined ? {} : { hint })}
    />
  );
  if (question.way === 'request') {
    const hint = 'From the refusal that the caller got, or from Decisions.';
    return field('requestId', 'Request id', { hint });
  }
  return (
    <>
      {question.way === 'described' && (
        <>
          <div class="row">
            {field('pool', 'Pool', { suggestions: names.pools, hint: 'Id of the user pool.' })}
            {field('client', 'App client', { suggestions: names.clients })}
            {field('user', 'User', {
              suggestions: names.users,
              hint: 'The sub; empty for the app client itself.',
            })}
          </div>
          <div class="row">
            {field('groups', 'Groups', { hint: 'With spaces between.' })}
            {field('scopes', 'Scopes', { hint: 'With spaces between.' })}
          </div>
        </>
      )}
      <div class="row">
        {field('role', 'Role', {
          suggestions: names.roles,
          hint: 'Id of a mapping or ARN of a role; empty asks for the only one.',
        })}
        {field('sourceIp', 'Source address', { hint: 'Empty: the one of this browser.' })}
      </div>
    </>
  );
}

function asked(query: URLSearchParams): Question {
  const at = (name: string) => query.get(name) ?? '';
  return {
    way: query.has('requestId') ? 'request' : 'described',
    requestId: at('requestId'),
    pool: at('pool'),
    client: at('client'),
    user: at('user'),
    groups: at('groups'),
    scopes: at('scopes'),
    role: at('role'),
    sourceIp: at('sourceIp'),
  };
}

/** @throws ApiProblem */
async function answerTo(question: Question, token: string): Promise<Answer> {
  if (question.way !== 'request') return { explanation: await explain(bodyOf(question, token)) };
  const id = encodeURIComponent(question.requestId.trim());
  const { document } = await callApi<DecisionList>(`/v1/decisions?requestId=${id}&limit=1`);
  const [decision] = document.items;
  if (decision === undefined) {
    throw new ApiProblem({
      code: 'request_unknown',
      detail:
        'This instance remembers no such request. The audit logs do: token-broker audit find --request-id ID',
    });
  }
  const { pool = '', client = '', user = '', role = '', sourceIp } = decision;
  if (client === '' && user === '') {
    throw new ApiProblem({
      code: 'caller_unproven',
      detail: `No token proved who asked, so no mapping was looked at: ${decision.code ?? ''}.`,
    });
  }
  const described = { ...question, way: 'described', pool, client, sourceIp } as const;
  const isMachine = user === client;
  const body = bodyOf(
    {
      ...described,
      user: isMachine ? '' : user,
      role: decision.asked ?? role,
      groups: '',
      scopes: '',
    },
    '',
  );
  return { explanation: await explain(body), decision };
}

async function explain(body: object): Promise<Explanation> {
  const { document } = await callApi<Explanation>('/v1/explain', { method: 'POST', body });
  return document;
}

function bodyOf(question: Question, token: string): object {
  const { way, pool, client, user, groups, scopes, role, sourceIp } = question;
  const request = { ...given('role', role), ...given('sourceIp', sourceIp) };
  if (way === 'token') return { token: token.trim().replace(/^Bearer\s+/i, ''), request };
  const caller = {
    pool,
    ...given('client', client),
    ...given('user', user),
    groups: words(groups),
    scopes: words(scopes),
  };
  return { caller, request };
}

function given(name: string, value: string): object {
  return value.trim() === '' ? {} : { [name]: value.trim() };
}

function words(text: string): readonly string[] {
  return text.split(/\s+/).filter(Boolean);
}
