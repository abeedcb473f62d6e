/** What happens, seen in the console while it happens. */

import { describe, expect, it } from '@jest/globals';
import { consoleTab } from '../support/console-tab.ts';
import { clients } from '../support/outside-world.ts';

const seen = consoleTab();
const { link } = seen;
const item = (requestId: string | undefined) =>
  seen.page.getByRole('listitem').filter({ hasText: requestId ?? 'no request id' });

describe('decisions', () => {
  it('come while somebody looks, with the reason that the caller was not told', async () => {
    await link('Decisions').click();
    await seen.page.getByText(/remembers \d+ decisions/).waitFor();
    const denied = await seen.broker.issue('stranger', { role: 'orders-writer' });
    await item(denied.requestId).getByText('denied').waitFor();
    expect(await item(denied.requestId).textContent()).toContain(clients.stranger.clientId);

    await seen.page.getByLabel('Outcome').selectOption('issued');
    await item(denied.requestId).waitFor({ state: 'detached' });
  });

  it('lead to the explanation of what was asked', async () => {
    const { requestId } = await seen.broker.issue('stranger', { role: 'reports-reader' });
    await link('Decisions').click();
    await seen.page.getByLabel('Request id').fill(requestId ?? '');
    await seen.page.getByRole('link', { name: `Why? Request ${requestId}` }).click();
    await seen.page.getByText('denied: no mapping').waitFor();
    await seen.page.getByRole('row', { name: '/principal' }).waitFor();
  });

  it('are asked for no more while they are held', async () => {
    await link('Decisions').click();
    await seen.page.getByText(/remembers \d+ decisions/).waitFor();
    await seen.page.getByRole('button', { name: 'Hold' }).click();
    const { requestId } = await seen.broker.issue('orders');
    await seen.page.getByRole('button', { name: 'Go on' }).click();
    await item(requestId).waitFor();
  });

  it('T174: are shown no longer once the token is good no more', async () => {
    await link('Decisions').click();
    await seen.page.getByText(/remembers \d+ decisions/).waitFor();
    // As when the token has ended.
    await seen.page.route('**/v1/decisions*', (route) =>
      route.continue({ headers: { ...route.request().headers(), authorization: 'Bearer x' } }),
    );
    await seen.page.getByRole('button', { name: 'Sign in' }).waitFor();
    expect(await seen.page.getByRole('listitem').count()).toBe(0);
  });
});

describe('an access key', () => {
  it('is found with who got it, for what, and until when', async () => {
    const { body, requestId } = await seen.broker.issue('orders');
    await link('Who is ASIA…').click();
    await seen.page.getByLabel('Access key id').fill(body.credentials.accessKeyId);
    await seen.page.getByRole('button', { name: 'Find who got it' }).click();
    await item(requestId).waitFor();
    const found = await item(requestId).textContent();
    for (const fact of [clients.orders.clientId, 'orders-writer', body.credentials.accessKeyId]) {
      expect(found).toContain(fact);
    }
  });

  it('that nobody here got leads to the audit log', async () => {
    await link('Who is ASIA…').click();
    await seen.page.getByLabel('Access key id').fill('ASIANOBODYSKEY000000');
    await seen.page.getByRole('button', { name: 'Find who got it' }).click();
    await seen.page.getByText('None that match.').waitFor();
    await seen.page
      .getByText('token-broker audit find --access-key-id ASIANOBODYSKEY000000')
      .waitFor();
  });
});

it('home says which revision the table has, and what to ask Prometheus of the other instances', async () => {
  await seen.page.getByText('decides by the newest').waitFor();
  await seen.page.route('**/v1/changes?*', (route) =>
    route.fulfill({ json: { revision: 1_000_000, through: 0, items: [] } }),
  );
  await seen.page.getByText(/^behind by 99\d{4}$/).waitFor();
  const queries = await seen.page.locator('pre').allTextContents();
  const names = queries.flatMap((query) => query.match(/tokenbroker_\w+/g) ?? []);
  const series = [...(await seen.broker.metrics()).keys()];
  expect(new Set(names)).toEqual(
    new Set(['tokenbroker_policy_revision', 'tokenbroker_policy_lag_seconds']),
  );
  expect(series).toEqual(expect.arrayContaining(['tokenbroker_policy_revision']));
});

it('home says how the instance is, and what it refused', async () => {
  await seen.broker.issue('stranger', { role: 'orders-writer' });
  await seen.page.getByText('Nothing is frozen.').waitFor();
  await seen.page.getByText('Audit log takes records').waitFor();
  await seen.page.getByText(/access_denied/).waitFor();
});
