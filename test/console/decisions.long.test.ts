/** What happens, seen in the console while it happens. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Browser } from 'playwright-core';
import type { BrokerFixture } from '../support/broker-fixture.ts';
import { openTab, signInAs, startBrowser, type Watched } from '../support/browser.ts';
import { startConsoleBroker } from '../support/console-broker.ts';
import { clients } from '../support/outside-world.ts';

let browser: Browser;
let broker: BrokerFixture;
let tab: Watched;

beforeAll(async () => {
  [browser, broker] = await Promise.all([startBrowser(), startConsoleBroker()]);
});
afterAll(async () => {
  await browser.close();
  await broker.stop();
});
beforeEach(async () => {
  tab = await openTab(browser);
  await tab.page.goto(`${broker.urls.admin}/console/`);
  await signInAs(tab.page, 'ada');
});
afterEach(async () => {
  await tab.context.close();
  expect(tab.faults).toEqual([]);
});

const link = (name: string) =>
  tab.page.getByRole('navigation').getByRole('link', { name, exact: true });
const item = (requestId: string | undefined) =>
  tab.page.getByRole('listitem').filter({ hasText: requestId ?? 'no request id' });

describe('decisions', () => {
  it('come while somebody looks, with the reason that the caller was not told', async () => {
    await link('Decisions').click();
    await tab.page.getByText(/remembers \d+ decisions/).waitFor();
    const denied = await broker.issue('stranger', { role: 'orders-writer' });
    await item(denied.requestId).getByText('denied').waitFor();
    expect(await item(denied.requestId).textContent()).toContain(clients.stranger.clientId);

    await tab.page.getByLabel('Outcome').selectOption('issued');
    await item(denied.requestId).waitFor({ state: 'detached' });
  });

  it('lead to the explanation of what was asked', async () => {
    const { requestId } = await broker.issue('stranger', { role: 'reports-reader' });
    await link('Decisions').click();
    await tab.page.getByLabel('Request id').fill(requestId ?? '');
    await tab.page.getByRole('link', { name: `Explain request ${requestId}` }).click();
    await tab.page.getByRole('button', { name: 'Explain', exact: true }).click();
    await tab.page.getByRole('row', { name: '/principal' }).waitFor();
  });

  it('are asked for no more while they are held', async () => {
    await link('Decisions').click();
    await tab.page.getByText(/remembers \d+ decisions/).waitFor();
    await tab.page.getByRole('button', { name: 'Hold' }).click();
    const { requestId } = await broker.issue('orders');
    await tab.page.getByRole('button', { name: 'Go on' }).click();
    await item(requestId).waitFor();
  });

  it('T174: are shown no longer once the token is good no more', async () => {
    await link('Decisions').click();
    await tab.page.getByText(/remembers \d+ decisions/).waitFor();
    // As when the token has ended.
    await tab.page.route('**/v1/decisions*', (route) =>
      route.continue({ headers: { ...route.request().headers(), authorization: 'Bearer x' } }),
    );
    await tab.page.getByRole('button', { name: 'Sign in' }).waitFor();
    expect(await tab.page.getByRole('listitem').count()).toBe(0);
  });
});

describe('an access key', () => {
  it('is found with who got it, for what, and until when', async () => {
    const { body, requestId } = await broker.issue('orders');
    await link('Who is ASIA…').click();
    await tab.page.getByLabel('Access key id').fill(body.credentials.accessKeyId);
    await tab.page.getByRole('button', { name: 'Find who got it' }).click();
    await item(requestId).waitFor();
    const found = await item(requestId).textContent();
    for (const fact of [clients.orders.clientId, 'orders-writer', body.credentials.accessKeyId]) {
      expect(found).toContain(fact);
    }
  });

  it('that nobody here got leads to the audit log', async () => {
    await link('Who is ASIA…').click();
    await tab.page.getByLabel('Access key id').fill('ASIANOBODYSKEY000000');
    await tab.page.getByRole('button', { name: 'Find who got it' }).click();
    await tab.page.getByText('None that match.').waitFor();
    await tab.page
      .getByText('token-broker audit find --access-key-id ASIANOBODYSKEY000000')
      .waitFor();
  });
});

it('home says how the instance is, and what it refused', async () => {
  await broker.issue('stranger', { role: 'orders-writer' });
  await tab.page.getByText('Nothing is frozen.').waitFor();
  await tab.page.getByText('Audit log takes records').waitFor();
  await tab.page.getByText(/access_denied/).waitFor();
});
