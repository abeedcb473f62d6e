/**
 * What a first-time administrator does, by what the pages offer: why is a service denied, a grant for a day with a
 * second person's approval, the issue of credentials, a freeze, and the way back.
 */

import { join } from 'node:path';
import { afterEach, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { openTab, screenshotsIn, signInAs, type Watched } from '../support/browser.ts';
import { ada, grace } from '../support/console-broker.ts';
import { consoleTab } from '../support/console-tab.ts';
import { allow, clients, defaultMappings } from '../support/outside-world.ts';

const seen = consoleTab({
  users: [ada, grace],
  mappings: [
    ...defaultMappings,
    allow('reports-archiver', 'reports', {
      description: 'Old reports are moved to the archive. Granted for the migration of January.',
      conditions: { scopes: ['reports/read'], expiresAt: '2026-01-31T00:00:00Z' },
    }),
  ],
  configure: (config) => ({
    ...config,
    guardrails: {
      ...config.guardrails,
      approval: { when: 'widens', roles: ['reports-archiver'] },
    },
  }),
});

/** A limit against hanging: two people, and one signs in twice. */
const longMs = 240_000;

let second: Watched | undefined;
afterEach(async () => {
  await second?.context.close();
  expect(second?.faults ?? []).toEqual([]);
  second = undefined;
});

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const linkIn = (page: Page, name: string) =>
  page.getByRole('navigation').getByRole('link', { name, exact: true });
const archive = () => seen.broker.issue('reports', { role: 'reports-archiver' });

let steps = 0;
async function screenshot(page: Page, name: string): Promise<void> {
  steps += 1;
  if (screenshotsIn === undefined) return;
  await page.screenshot({ path: join(screenshotsIn, `first-day-${steps}-${name}.png`) });
}

async function approve(page: Page, action: string): Promise<void> {
  await linkIn(page, 'Approvals').click();
  await page.getByRole('link', { name: action }).first().click();
  await button(page, 'Approve …').click();
  await page.getByLabel('Why').fill('agreed on the phone');
  await screenshot(page, 'approve');
  await button(page, 'Approve').click();
  await page.getByText('Applied: the change is written.').waitFor();
}

it(
  'finds out why, grants it for a day, sees it issued, freezes it, and puts everything back',
  async () => {
    const { page } = seen;
    const denied = await archive();
    expect(denied.status).toBe(403);

    await linkIn(page, 'Decisions').click();
    await screenshot(page, 'decisions');
    await page.getByRole('link', { name: `Why? Request ${denied.requestId}` }).click();
    await page.getByText('denied: mapping expired').waitFor();
    const row = page.getByRole('row', { name: '/conditions/expiresAt' });
    expect(await row.textContent()).toContain('2026-01-31T00:00:00Z');
    const scopes = page.getByRole('row', { name: '/conditions/scopes' });
    expect(await scopes.textContent()).toContain('not on record');
    await screenshot(page, 'why');

    await page.getByRole('link', { name: 'Edit reports-archiver' }).click();
    await button(page, 'Expire in a day').click();
    await page.getByText('once a second administrator approves it').waitFor();
    await page.getByText(`client ${clients.reports.clientId}`).first().waitFor();
    await page.getByLabel('Why').fill('TICKET-7: the archive is moved once more');
    await screenshot(page, 'grant');
    await button(page, 'Propose').click();
    await page.getByText('You have proposed this').waitFor();
    expect(await button(page, 'Approve …').count()).toBe(0);
    expect((await archive()).status).toBe(403);
    await screenshot(page, 'proposed');

    second = await openTab(seen.browser);
    await second.page.goto(`${seen.broker.urls.admin}/console/`);
    await signInAs(second.page, 'grace');
    await approve(second.page, 'replace reports-archiver');

    const issued = await archive();
    expect(issued.status).toBe(200);
    await linkIn(page, 'Decisions').click();
    const item = page.getByRole('listitem').filter({ hasText: issued.requestId ?? '-' });
    await item.getByText('issued', { exact: true }).waitFor();
    await screenshot(page, 'issued');
    await item.getByRole('link', { name: 'reports-archiver' }).click();
    await page
      .getByText(/approved by .*7d8e2a5c-2222/)
      .first()
      .waitFor();
    await page.getByText(/by this instance since/).waitFor();

    await page.getByRole('link', { name: `Freeze client ${clients.reports.clientId}` }).click();
    await page.getByText('3 roles, by 3 mappings').waitFor();
    await page.getByLabel('Why').fill('INC-1: it moves more than it should');
    await page
      .getByLabel(`Type ${clients.reports.clientId} to confirm`)
      .fill(clients.reports.clientId);
    await screenshot(page, 'freeze');
    await button(page, 'Freeze now').click();
    await page.getByRole('heading', { name: 'Frozen', exact: true }).waitFor();
    expect((await archive()).status).toBe(403);

    await page.getByRole('button', { name: /^Lift the freeze of/ }).click();
    await button(page, 'Propose to lift the freeze').waitFor();
    await page.getByLabel('Why').last().fill('it was the clock');
    await button(page, 'Propose to lift the freeze').click();
    await page.getByText('You have proposed this').waitFor();
    await screenshot(page, 'lift');
    await approve(second.page, 'lift the freeze of client');
    expect((await archive()).status).toBe(200);

    await page.evaluate("location.hash = '#/mappings/reports-archiver'");
    await button(page, 'Back to version 1 …').click();
    await page.getByLabel('Why').fill('the archive is moved');
    await button(page, 'Go back to version 1').click();
    await page.getByText('Version 3', { exact: true }).waitFor();
    expect((await archive()).status).toBe(403);
    await screenshot(page, 'undone');
  },
  longMs,
);
