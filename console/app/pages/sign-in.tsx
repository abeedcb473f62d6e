import { useState } from 'preact/hooks';
import { Page } from '../parts/page.tsx';
import { beginSignIn } from '../sign-in/sign-in.ts';

/** `again`: whoever comes here must show anew who they are. */
export function SignInPage({
  message,
  again,
}: {
  readonly message: string;
  readonly again: boolean;
}) {
  const [fault, setFault] = useState('');
  const begin = () => {
    beginSignIn({ fresh: again }).catch(() => setFault('The broker does not answer. Try again.'));
  };
  return (
    <Page title="Sign in">
      <p>The console of token-broker is for its administrators.</p>
      {message !== '' && (
        <p class="note" role="status">
          {message}
        </p>
      )}
      <button type="button" class="main" onClick={begin}>
        Sign in
      </button>
      {fault !== '' && (
        <p class="note bad" role="alert">
          {fault}
        </p>
      )}
    </Page>
  );
}
