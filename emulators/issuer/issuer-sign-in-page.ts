/** The page on which somebody says who they are, and the answers around it. */

import type { ServerResponse } from 'node:http';
import { answerJson } from '../loopback-http.ts';
import type { IssuerClient, IssuerUser } from './issuer-claims.ts';

export type AuthorizeAnswer =
  /** Nobody that a browser may be sent back to. */
  | { readonly kind: 'refused'; readonly error: string }
  /** `signedIn`: whoever has just said who they are. */
  | {
      readonly kind: 'redirected';
      readonly location: string;
      readonly signedIn: IssuerUser | undefined;
    }
  | { readonly kind: 'asked'; readonly page: string; readonly returnsTo: string };

/** The parameters go back with the choice and are checked again then: nothing is remembered in between. */
export function signInPage(
  parameters: URLSearchParams,
  users: Iterable<IssuerUser>,
  client: IssuerClient,
): string {
  const hidden = [...parameters].map(
    ([name, value]) => `<input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`,
  );
  const people = [...users].map(({ username, groups }) => {
    const about = groups.length === 0 ? 'in no group' : `in ${groups.join(', ')}`;
    return `<p><button name="user" value="${escaped(username)}">${escaped(username)}</button> ${escaped(about)}</p>`;
  });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sign in to the local issuer</title>
<h1>Who are you?</h1>
<p>A local issuer: everybody may be anybody. ${escaped(client.name)} will be told.</p>
<form method="post">
${hidden.join('\n')}
${people.join('\n')}
</form>
</html>
`;
}

function escaped(text: string): string {
  return text.replaceAll(/[^\w ./:-]/gu, (character) => `&#${character.codePointAt(0)};`);
}

/** `remember`: a `Set-Cookie` for somebody. */
export function sendAuthorizeAnswer(
  res: ServerResponse,
  answer: AuthorizeAnswer,
  remember: (user: IssuerUser) => string,
): void {
  switch (answer.kind) {
    case 'refused':
      answerJson(res, 400, { error: answer.error }, { 'cache-control': 'no-store' });
      return;
    case 'redirected':
      res
        .writeHead(303, {
          'cache-control': 'no-store',
          location: answer.location,
          'content-length': 0,
          ...(answer.signedIn === undefined ? {} : { 'set-cookie': remember(answer.signedIn) }),
        })
        .end();
      return;
    case 'asked': {
      // Browsers hold the redirect behind a form against `form-action` too.
      const targets = `'self' ${new URL(answer.returnsTo).origin}`;
      const page = Buffer.from(answer.page);
      res.writeHead(200, {
        'cache-control': 'no-store',
        'content-type': 'text/html; charset=utf-8',
        'content-length': page.length,
        'content-security-policy': `default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action ${targets}`,
        'referrer-policy': 'same-origin',
        'x-content-type-options': 'nosniff',
      });
      res.end(page);
    }
  }
}
