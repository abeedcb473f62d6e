/** The frame around the pages: where one can go, who one is. */

import type { ComponentType } from 'preact';
import { ApprovalPage, ApprovalsPage } from './pages/approvals.tsx';
import { DecisionsPage } from './pages/decisions.tsx';
import { EditPage, NewPage } from './pages/edit.tsx';
import { ExplainPage } from './pages/explain.tsx';
import { FreezePageView } from './pages/freeze.tsx';
import { HomePage } from './pages/home.tsx';
import { KeyPage } from './pages/key.tsx';
import { MappingPage } from './pages/mapping.tsx';
import { MappingsPage } from './pages/mappings.tsx';
import { NoPage } from './pages/none.tsx';
import { SignInPage } from './pages/sign-in.tsx';
import { linkTo, place } from './router.ts';
import { session } from './sign-in/session.ts';
import { leave } from './sign-in/sign-out.ts';

export interface PageProps {
  /** What follows the name of the page in the address. */
  readonly rest: readonly string[];
}

interface Entry {
  readonly name: string;
  /** Undefined: not in the navigation. */
  readonly title?: string;
  readonly page: ComponentType<PageProps>;
  /** Shown instead where the address goes on. */
  readonly detail?: ComponentType<PageProps>;
}

/** In the order of the navigation; `name` is the first segment of the address. */
const entries: readonly Entry[] = [
  { name: '', title: 'Home', page: HomePage },
  { name: 'mappings', title: 'Mappings', page: MappingsPage, detail: MappingPage },
  { name: 'new', page: NewPage },
  { name: 'edit', page: EditPage },
  { name: 'approvals', title: 'Approvals', page: ApprovalsPage, detail: ApprovalPage },
  { name: 'explain', title: 'Explain', page: ExplainPage },
  { name: 'decisions', title: 'Decisions', page: DecisionsPage },
  { name: 'key', title: 'Who is ASIA…', page: KeyPage },
  { name: 'freeze', title: 'Freeze', page: FreezePageView },
];

export function Shell() {
  const held = session.value;
  switch (held.kind) {
    case 'starting':
      return <p role="status">Signing in …</p>;
    case 'signed_out':
      return (
        <main>
          <SignInPage message={held.message} again={held.again} />
        </main>
      );
    case 'signed_in':
      return <SignedIn name={held.who.name} />;
  }
}

function SignedIn({ name }: { readonly name: string }) {
  const [first = '', ...rest] = place.value.segments;
  const entry = entries.find(({ name: its }) => its === first);
  const Current = (rest.length > 0 && entry?.detail) || (entry?.page ?? NoPage);
  return (
    <>
      <header>
        <button type="button" class="skip" onClick={skip}>
          Skip to the page
        </button>
        <nav aria-label="Pages">
          <ul>
            {entries
              .filter(({ title }) => title !== undefined)
              .map(({ name: its, title }) => (
                <li key={its}>
                  <a
                    href={linkTo(its === '' ? [] : [its])}
                    aria-current={its === first ? 'page' : undefined}
                  >
                    {title}
                  </a>
                </li>
              ))}
          </ul>
        </nav>
        <p class="who">
          {name}{' '}
          <button type="button" onClick={() => void leave()}>
            Sign out
          </button>
        </p>
      </header>
      <main>
        <Current key={place.value.segments.join('/')} rest={rest} />
      </main>
    </>
  );
}

/** A button, since the part behind `#` is where one is. */
function skip(): void {
  document.querySelector('h1')?.focus();
}
