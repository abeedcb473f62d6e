/** Documents of the API on their way, and what is shown of them. */

import type { ComponentChildren } from 'preact';
import { useCallback, useEffect, useState } from 'preact/hooks';
import { ApiProblem } from '../api.ts';
import { FaultList } from './fault-list.tsx';

export type Loading<Value> =
  | { readonly kind: 'loading' }
  | { readonly kind: 'loaded'; readonly value: Value }
  | { readonly kind: 'failed'; readonly problem: ApiProblem };

export interface Load<Value> {
  readonly state: Loading<Value>;
  readonly again: () => void;
}

/** Begins anew when one of `inputs` changes; an answer to an earlier question never takes the place of a later one. */
export function useLoad<Value>(
  load: () => Promise<Value>,
  inputs: readonly unknown[],
): Load<Value> {
  const [state, setState] = useState<Loading<Value>>({ kind: 'loading' });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let current = true;
    load().then(
      (value) => current && setState({ kind: 'loaded', value }),
      (error: unknown) => current && setState({ kind: 'failed', problem: asProblem(error) }),
    );
    return () => {
      current = false;
    };
  }, [turn, ...inputs]);
  const again = useCallback(() => setTurn((before) => before + 1), []);
  return { state, again };
}

export function Loaded<Value>({
  load: { state, again },
  children,
}: {
  readonly load: Load<Value>;
  readonly children: (value: Value) => ComponentChildren;
}) {
  switch (state.kind) {
    case 'loading':
      return <p role="status">Loading …</p>;
    case 'failed':
      return (
        <>
          <ProblemNote problem={state.problem} />
          <button type="button" onClick={again}>
            Try again
          </button>
        </>
      );
    case 'loaded':
      return <>{children(state.value)}</>;
  }
}

export function ProblemNote({ problem }: { readonly problem: ApiProblem }) {
  return (
    <div class="note bad" role="alert">
      <p>
        <strong>{problem.code}</strong> {problem.message}
      </p>
      {problem.faults.length > 0 && <FaultList faults={problem.faults} />}
      {problem.requestId !== undefined && (
        <p class="quiet">
          Request <code>{problem.requestId}</code>
        </p>
      )}
    </div>
  );
}

export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  return new ApiProblem({ code: 'console_fault', detail: `The console failed: ${String(error)}` });
}
