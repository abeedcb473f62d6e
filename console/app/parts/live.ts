/** Documents that are asked for again and again while somebody looks at them. */

import { useEffect, useState } from 'preact/hooks';
import { type ApiProblem, callApi } from '../api.ts';
import { asProblem } from './loading.tsx';

export interface Live<Document> {
  readonly document: Document | undefined;
  readonly problem: ApiProblem | undefined;
}

/**
 * The next question is asked `everyMs` after the last answer; none while the page is hidden or `paused`. Each is an
 * ordinary request: whoever may not look any more sees nothing more.
 */
export function useLive<Document>(
  path: `/v1/${string}`,
  { everyMs, paused = false }: { readonly everyMs: number; readonly paused?: boolean },
): Live<Document> {
  const [live, setLive] = useState<Live<Document>>({ document: undefined, problem: undefined });
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let current = true;
    const ask = async () => {
      if (!document.hidden) {
        const next = await callApi<Document>(path).then(
          (answer) => ({ document: answer.document, problem: undefined }),
          (error: unknown) => ({ problem: asProblem(error) }),
        );
        if (!current) return;
        setLive((before) => ({ ...before, ...next }));
      }
      timer = setTimeout(() => void ask(), everyMs);
    };
    if (!paused) void ask();
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [path, everyMs, paused]);
  return live;
}
