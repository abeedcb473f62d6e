/** What the console shows, and keeps, when the admin API gives no answer, or another one than was hoped for. */

import { describe, expect, it } from '@jest/globals';
import type { Route } from 'playwright-core';
import { signInAs } from '../support/browser.ts';
import { ada, grace } from '../support/console-broker.ts';
import { consolePages } from '../support/console-pages.ts';
import { consoleTab } from '../support/console-tab.ts';
import { allow, clients, defaultMappings, pool } from '../support/outside-world.ts';

const seen = consoleTab({
  users: [ada, grace],
  mappings: [...defaultMappings, allow('to-edit', 'stranger', { description: 'as it was' })],
});

/** A limit against hanging: these go through all pages. */
const longMs = 240_000;

const problem = (status: number, code: string) => (route: Route) =>
  route.fulfill({
    status,
    contentType: 'application/problem+json',
    json: { status, code, title: code, detail: `The words of ${code}.` },
  });
const goTo = (hash: string) => seen.page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
const button = (name: string) => seen.page.getByRole('button', { name, exact: true });

/** Those that ask for something when they are opened. */
const asking = Object.entries(consolePages('0'.repeat(12))).filter(([, { asks }]) => asks);

describe.each([
  ['says that the table is away', 503, 'table_unavailable'],
  ['says that somebody may not', 403, 'scope_insufficient'],
  ['says that it is too much', 429, 'rate_limited'],
] as const)('an API that %s', (_what, status, code) => {
  it(
    'is quoted on every page that asks it, and each can be left',
    async () => {
      await seen.page.route('**/v1/**', problem(status, code));
      for (const [name, { hash }] of asking) {
        await goTo(hash);
        await seen.page.getByText(`The words of ${code}.`).first().waitFor();
        expect([name, await seen.page.getByRole('navigation').count()]).toEqual([name, 1]);
      }
    },
    longMs,
  );
});

it(
  'an API that hangs is given up on every page, and the page says so',
  async () => {
    // The limit of the page, in a twentieth of the time.
    await seen.page.evaluate(
      'const real = AbortSignal.timeout.bind(AbortSignal); AbortSignal.timeout = (ms) => real(ms / 20)',
    );
    await seen.page.route('**/v1/**', () => undefined);
    for (const [, { hash }] of asking) {
      await goTo(hash);
      await seen.page.getByText('The broker does not answer.').first().waitFor();
    }
    await seen.page.unrouteAll({ behavior: 'ignoreErrors' });
    await goTo('#/mappings/to-edit');
    await seen.page.getByRole('heading', { name: 'History' }).waitFor();
  },
  longMs,
);

it.each([
  ['not the broker’s', 502, '<script>alert(1)</script>'],
  ['cut off', 200, '{"id":"to-edit","mapp'],
])('an answer that is %s counts as none', async (_what, status, body) => {
  await seen.page.route('**/v1/role-mappings/*', (route) =>
    route.fulfill({ status, contentType: 'text/html', body }),
  );
  await goTo('#/mappings/to-edit');
  await seen.page.getByText(`That was no answer of the broker (${status}).`).waitFor();
  await seen.page.unrouteAll();
  await button('Try again').click();
  await seen.page.getByRole('heading', { name: 'History' }).waitFor();
});

describe('a page that could not be loaded', () => {
  it.each(asking.filter(([, { again }]) => again))(
    'is tried again: %s',
    async (_name, { hash }) => {
      await seen.page.route('**/v1/**', problem(503, 'table_unavailable'));
      await goTo(hash);
      await button('Try again').first().waitFor();
      await seen.page.unrouteAll();
      await button('Try again').first().click();
      await seen.page
        .getByText('The words of table_unavailable.')
        .first()
        .waitFor({ state: 'detached' });
    },
  );
});

describe('a sign-in that ends while somebody is writing', () => {
  const end = () =>
    seen.page.route('**/v1/**', (route) =>
      route.continue({ headers: { ...route.request().headers(), authorization: 'Bearer x' } }),
    );
  const backIn = async (username: string) => {
    await seen.page.unrouteAll();
    await button('Sign in').click();
    // The sign-in may remember who that is.
    const choice = seen.page.getByRole('button', { name: username, exact: true });
    await choice.or(seen.page.getByRole('navigation')).first().waitFor();
    if (await choice.count()) await choice.click();
    await seen.page.getByRole('navigation').waitFor();
  };

  it('loses nothing of an edit, which is then saved', async () => {
    await goTo('#/edit/to-edit');
    await seen.page.getByLabel('Description').fill('half written');
    await seen.page.getByText('The broker would take it.').waitFor();
    await seen.page.getByLabel('Why').fill('because');
    await end();
    await button('Save').click();
    await backIn('ada');
    await seen.page.getByText('The broker would take it.').waitFor();
    expect(await seen.page.getByLabel('Description').inputValue()).toBe('half written');
    expect(await seen.page.getByLabel('Why').inputValue()).toBe('because');
    await button('Save').click();
    await seen.page.getByRole('heading', { name: 'to-edit', exact: true }).waitFor();
    expect((await seen.broker.table.get('to-edit'))?.mapping?.description).toBe('half written');
  });

  it('loses nothing of a freeze or of a question', async () => {
    await goTo('#/freeze');
    await seen.page.getByLabel('Pool').fill(pool);
    await seen.page.getByLabel('Name').fill(clients.reports.clientId);
    await end();
    await button('Show what it takes away').click();
    await backIn('ada');
    await seen.page.getByText('2 roles, by 2 mappings').waitFor();

    await goTo('#/explain');
    await seen.page.getByLabel('Pool').fill(pool);
    await seen.page.getByLabel('App client').fill(clients.orders.clientId);
    await seen.page.getByLabel('Scopes').fill('orders/read');
    await end();
    await button('Explain').click();
    await backIn('ada');
    expect(await seen.page.getByLabel('App client').inputValue()).toBe(clients.orders.clientId);
    expect(await seen.page.getByLabel('Scopes').inputValue()).toBe('orders/read');
    expect(await seen.page.getByLabel('Pool').inputValue()).toBe(pool);
  });

  it('T255: keeps no token that was pasted, and nothing for somebody else', async () => {
    const token = seen.broker.token('orders');
    await goTo('#/explain');
    await seen.page.getByLabel('App client').fill('typed by ada');
    await seen.page.getByLabel('The caller is').selectOption('token');
    await seen.page.getByLabel('Token', { exact: true }).fill(token);
    await end();
    await button('Explain').click();
    let kept = '';
    await seen.page.exposeFunction('noteKept', (text: string) => {
      kept += text;
    });
    await seen.page.evaluate(`(() => {
      const { setItem } = Storage.prototype;
      Storage.prototype.setItem = function (name, text) {
        noteKept(text);
        return setItem.call(this, name, text);
      };
    })()`);
    await seen.page.context().clearCookies();
    await seen.page.unrouteAll();
    await button('Sign in').click();
    await seen.page.getByRole('button', { name: 'grace', exact: true }).click();
    await seen.page.getByRole('navigation').waitFor();
    expect(kept).toContain('typed by ada');
    expect(kept).not.toContain(token.split('.')[2]);
    expect(await seen.page.getByLabel('App client').inputValue()).toBe('');
  });
});

it('T255: what was typed is not there any more after signing out', async () => {
  await goTo('#/edit/to-edit');
  await seen.page.getByLabel('Description').fill('a secret plan');
  await button('Sign out').click();
  await seen.page.getByText('Signed out.').waitFor();
  await signInAs(seen.page, 'ada');
  const kept = await seen.page.evaluate<string>('JSON.stringify({ ...sessionStorage })');
  expect(kept).not.toContain('a secret plan');
  await goTo('#/edit/to-edit');
  await seen.page.getByLabel('Description').waitFor();
  expect(await seen.page.getByLabel('Description').inputValue()).not.toBe('a secret plan');
});
