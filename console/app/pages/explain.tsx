/** Why somebody gets a role or does not, by the code that decides. */

import { useState } from 'preact/hooks';
import { type ApiProblem, callApi } from '../api.ts';
import type { Explanation } from '../documents.ts';
import { ChoiceField, LongField, TextField } from '../parts/field.tsx';
import { asProblem, ProblemNote } from '../parts/loading.tsx';
import { Page } from '../parts/page.tsx';
import { place } from '../router.ts';
import { ExplanationView } from './explanation.tsx';

interface Question {
  readonly way: 'described' | 'token';
  readonly token: string;
  readonly pool: string;
  readonly client: string;
  readonly user: string;
  readonly groups: string;
  readonly scopes: string;
  readonly role: string;
  readonly sourceIp: string;
}

export function ExplainPage() {
  const [question, setQuestion] = useState<Question>(asked(place.value.query));
  const [answer, setAnswer] = useState<Explanation>();
  const [problem, setProblem] = useState<ApiProblem>();
  const change = (part: Partial<Question>) => setQuestion({ ...question, ...part });
  const ask = (event: Event) => {
    event.preventDefault();
    setProblem(undefined);
    callApi<Explanation>('/v1/explain', { method: 'POST', body: bodyOf(question) }).then(
      ({ document }) => setAnswer(document),
      (error: unknown) => {
        setAnswer(undefined);
        setProblem(asProblem(error));
      },
    );
  };
  const field = (name: Exclude<keyof Question, 'way'>, label: string, hint?: string) => (
    <TextField
      label={label}
      value={question[name]}
      onValue={(value) => change({ [name]: value })}
      {...(hint === undefined ? {} : { hint })}
    />
  );
  return (
    <Page title="Explain">
      <form onSubmit={ask}>
        <div class="row">
          <ChoiceField
            label="The caller is"
            value={question.way}
            onValue={(way) => change({ way: way as Question['way'] })}
            choices={{ described: 'described', token: 'whoever a token proves' }}
          />
        </div>
        {question.way === 'token' ? (
          <LongField
            label="Token"
            value={question.token}
            onValue={(token) => change({ token })}
            rows={5}
            hint="It is verified, and that it was explained stays on record. Nothing is issued."
          />
        ) : (
          <>
            <div class="row">
              {field('pool', 'Pool', 'Such as us-east-1_AbCdEf123.')}
              {field('client', 'App client')}
              {field('user', 'User', 'The sub; empty for the app client itself.')}
            </div>
            <div class="row">
              {field('groups', 'Groups', 'With spaces between.')}
              {field('scopes', 'Scopes', 'With spaces between.')}
            </div>
          </>
        )}
        <div class="row">
          {field('role', 'Role', 'Id of a mapping or ARN of a role; empty asks for the only one.')}
          {field('sourceIp', 'Source address', 'Empty: the one of this browser.')}
        </div>
        <button type="submit" class="main">
          Explain
        </button>
      </form>
      <div aria-live="polite">
        {problem !== undefined && <ProblemNote problem={problem} />}
        {answer !== undefined && <ExplanationView answer={answer} />}
      </div>
    </Page>
  );
}

function asked(query: URLSearchParams): Question {
  const at = (name: string) => query.get(name) ?? '';
  return {
    way: 'described',
    token: '',
    pool: at('pool'),
    client: at('client'),
    user: at('user'),
    groups: at('groups'),
    scopes: at('scopes'),
    role: at('role'),
    sourceIp: at('sourceIp'),
  };
}

function bodyOf(question: Question): object {
  const { way, token, pool, client, user, groups, scopes, role, sourceIp } = question;
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
