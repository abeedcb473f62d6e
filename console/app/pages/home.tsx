/** Home: what is frozen, and what this instance decides by. */

import { callApi } from '../api.ts';
import { Loaded, useLoad } from '../parts/loading.tsx';
import { Page } from '../parts/page.tsx';

interface FreezeList {
  readonly revision: number;
  readonly items: readonly unknown[];
  readonly quarantined: readonly unknown[];
}

export function HomePage() {
  const freezes = useLoad(() => callApi<FreezeList>('/v1/freezes'), []);
  return (
    <Page title="Home">
      <Loaded load={freezes}>
        {({ document: { revision, items } }) => (
          <dl>
            <dt>Policy revision</dt>
            <dd>{revision}</dd>
            <dt>Freezes</dt>
            <dd>{items.length === 0 ? 'none' : items.length}</dd>
          </dl>
        )}
      </Loaded>
    </Page>
  );
}
