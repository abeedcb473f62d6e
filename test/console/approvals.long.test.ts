/** A change that a second administrator approves, each in a tab of their own. */

import { afterEach, describe, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { openTab, signInAs, type Watched } from '../support/browser.ts';
import { ada } from '../support/console-broker.ts';
import { consoleTab } from '../support/console-tab.ts';
import { allow, clients, defaultMappings } from '../support/outside-world.ts';

const grace = { ...ada, username: 'grace', sub: '7d8e2a5c-2222-4222-8333-944445555666' };
const hostile = '<img src=x onerror=alert(1)> a\u202egnp.exe';
const seen = consoleTab({
  users: [ada, grace],
  mappings: [...defaultMappings, allow('to-widen', 'stranger', { description: hostile })],
  configure: (config) => ({
    ...config,
    guardrails: { ...config.guardrails, approval: { when: 'widens' } },
  }),
});

/** A limit against hanging: two people sign in, one after the other. */
const longMs = 180_000;

let second: Watched | undefined;
afterEach(async () => {
  await second?.context.close();
  expect(second?.faults ?? []).toEqual([]);
  second = undefined;
});

async function signInSecond(): Promise<Page> {
  second = await openTab(seen.browser);
  await second.page.goto(`${seen.broker.urls.admin}/console/`);
  await signInAs(second.page, 'grace');
  return second.page;
}

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

/** By JSON, as it stands in the field. */
async function proposeLonger(seconds: number): Promise<string> {
  const { page } = seen;
  await page.evaluate("location.hash = '#/edit/to-widen'");
  await page.getByLabel('as JSON').check();
  const field = page.getByLabel('Document');
  const document = JSON.parse(await field.inputValue());
  document.session.maxDurationSeconds = seconds;
  await field.fill(JSON.stringify(document));
  await page.getByText('once a second administrator approves it').waitFor();
  await page.getByLabel('Why').fill('<b>needed</b>');
  await button(page, 'Save').click();
  await page.getByRole('heading', { name: 'Approval', exact: true }).waitFor();
  return await page.evaluate<string>('location.hash');
}

async function say(page: Page, word: string): Promise<void> {
  await button(page, `${word} …`).click();
  await page.getByLabel('Why').fill('read and agreed');
  await button(page, word).click();
}

async function maximum(): Promise<number | undefined> {
  return (await seen.broker.table.get('to-widen'))?.mapping?.session.maxDurationSeconds;
}

describe('a change that widens access', () => {
  it(
    'T208: waits until another person has read and approved it, and its author cannot',
    async () => {
      const hash = await proposeLonger(7200);
      expect(await maximum()).toBe(3600);
      await seen.page.getByText('a\\u202egnp.exe').first().waitFor();
      await seen.page.getByText('<b>needed</b>').waitFor();
      await say(seen.page, 'Approve');
      await seen.page.getByText('approver_refused').waitFor();
      expect(await maximum()).toBe(3600);

      const page = await signInSecond();
      await page.getByRole('link', { name: 'Approvals', exact: true }).click();
      await page.getByRole('link', { name: 'replace to-widen' }).click();
      expect(await page.evaluate('location.hash')).toBe(hash);
      await page.getByText(`client ${clients.stranger.clientId}`).first().waitFor();
      await page.getByText('/session/maxDurationSeconds').waitFor();
      await say(page, 'Approve');
      await page.getByText('applied: read and agreed').waitFor();
      expect(await maximum()).toBe(7200);
    },
    longMs,
  );

  it(
    'T210: is over once it is rejected, or withdrawn by its author',
    async () => {
      await proposeLonger(10_800);
      await say(seen.page, 'Withdraw');
      await seen.page.getByText('withdrawn: read and agreed').waitFor();
      const hash = await proposeLonger(14_400);
      const page = await signInSecond();
      await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
      await say(page, 'Reject');
      await page.getByText('rejected: read and agreed').waitFor();
      expect(await button(page, 'Approve …').count()).toBe(0);
      expect(await maximum()).toBe(7200);
    },
    longMs,
  );
});
