/** Why somebody is denied, and the kill switch, in the console. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Browser } from 'playwright-core';
import type { BrokerFixture } from '../support/broker-fixture.ts';
import { openTab, signInAs, startBrowser, type Watched } from '../support/browser.ts';
import { startConsoleBroker } from '../support/console-broker.ts';
import { clients, pool, roleNamed } from '../support/outside-world.ts';

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
const button = (name: string) => tab.page.getByRole('button', { name, exact: true });
const field = (label: string) => tab.page.getByLabel(label, { exact: true });

describe('explain', () => {
  it('shows which condition failed, with what it expects and what is there', async () => {
    await link('Explain').click();
    await field('Pool').fill(pool);
    await field('App client').fill(clients.orders.clientId);
    await field('Scopes').fill('orders/read other');
    await field('Role').fill('orders-writer');
    await button('Explain').click();
    const row = tab.page.getByRole('row', { name: '/conditions/scopes' });
    await row.waitFor();
    const cells = await row.getByRole('cell').allTextContents();
    expect(cells.map((cell) => JSON.parse(cell))).toEqual([
      ['orders/write'],
      ['orders/read', 'other'],
    ]);
    await tab.page.getByText('Denied').waitFor();
  });

  it('shows what STS would be sent for the caller of a token, which goes to the broker alone', async () => {
    const token = broker.token('orders');
    await link('Explain').click();
    await field('The caller is').selectOption('token');
    await field('Token').fill(`Bearer ${token}\n`);
    await button('Explain').click();
    await tab.page.getByText('Allowed', { exact: true }).waitFor();
    await tab.page.getByText(`"roleArn": "${roleNamed('orders-writer')}"`).waitFor();
    const explained = broker.auditRecords().filter(({ type }) => type === 'explain');
    expect(explained.at(-1)).toMatchObject({ outcome: 'allow' });
    expect(tab.addresses.join('\n')).not.toContain(token.split('.')[2]);
  });

  it('says why a token is no good', async () => {
    await link('Explain').click();
    await field('The caller is').selectOption('token');
    await field('Token').fill('eyJhbGciOiJub25lIn0.e30.');
    await button('Explain').click();
    await tab.page.getByText('Refused: token_').waitFor();
  });

  it('says what is wrong with a question', async () => {
    await link('Explain').click();
    await field('Pool').fill('nowhere');
    await button('Explain').click();
    await tab.page.getByText('body_invalid').waitFor();
  });
});

describe('freeze', () => {
  it('T173: takes a look at what it takes away, a reason, and the name typed once more', async () => {
    await link('Freeze').click();
    await tab.page.getByText('Nothing.').waitFor();
    await field('Pool').fill(pool);
    await field('Name').fill(clients.reports.clientId);
    await button('Show what it takes away').click();
    await tab.page.getByText('2 roles, by 2 mappings').waitFor();
    expect((await broker.issue('reports', { role: 'reports-reader' })).status).toBe(200);

    const freeze = button('Freeze now');
    const confirm = field(`Type ${clients.reports.clientId} to confirm`);
    await field('Why').fill('INC-1: the secret was found');
    expect(await freeze.isDisabled()).toBe(true);
    await confirm.fill(clients.orders.clientId);
    expect(await freeze.isDisabled()).toBe(true);
    await confirm.fill(clients.reports.clientId);
    await freeze.click();
    await tab.page.getByRole('heading', { name: 'Frozen' }).waitFor();
    await tab.page.getByText('aws:TokenIssueTime').waitFor();
    expect((await broker.issue('reports', { role: 'reports-reader' })).status).toBe(403);

    await button(`Lift the freeze of client ${clients.reports.clientId} of ${pool} …`).click();
    await field('Why').last().fill('the secret was changed');
    await button('Lift the freeze').click();
    await tab.page.getByText('Nothing.').waitFor();
    expect((await broker.issue('reports', { role: 'reports-reader' })).status).toBe(200);
  });

  it('T173: of a name that holds nothing is warned of before it is made', async () => {
    await link('Freeze').click();
    await field('Pool').fill(pool);
    await field('Name').fill(clients.stranger.clientId);
    await button('Show what it takes away').click();
    await tab.page.getByText('Check the name').waitFor();
  });

  it('T173: shows what was looked at no longer once something else is written', async () => {
    await link('Freeze').click();
    await field('Pool').fill(pool);
    await field('Name').fill(clients.reports.clientId);
    await button('Show what it takes away').click();
    await button('Freeze now').waitFor();
    await field('Name').fill(clients.orders.clientId);
    expect(await button('Freeze now').count()).toBe(0);
  });
});
