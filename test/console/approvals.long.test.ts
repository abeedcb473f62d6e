/** A change that a second administrator approves, each in a tab of their own. */

import { afterEach, describe, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { openTab, signInAs, type Watched } from '../support/browser.ts';
import { ada, grace } from '../support/console-broker.ts';
import { consoleTab } from '../support/console-tab.ts';
import type { Call } from '../support/http-call.ts';
import { allow, clients, defaultMappings, pool } from '../support/outside-world.ts';

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
  await button(page, 'Propose').click();
  await page.getByRole('heading', { name: 'Approval', exact: true }).waitFor();
  return await page.evaluate<string>('location.hash');
}

async function say(page: Page, word: string): Promise<void> {
  await button(page, `${word} …`).click();
  // It has opened where nobody may be looking: whoever types types there.
  await page.locator('input:focus').waitFor();
  await page.keyboard.type('read and agreed');
  expect(await page.getByLabel('Why').inputValue()).toBe('read and agreed');
  await button(page, word).click();
}

/** What people wrote, each in an element of its own. */
async function reasons(page: Page): Promise<readonly string[]> {
  return await page.locator('q.reason').allTextContents();
}

/** As a pipeline does it. */
async function byMachine(request: Omit<Call, 'listener' | 'token'>): Promise<void> {
  const asMachine = { listener: 'admin', token: seen.broker.token('admin') } as const;
  const { status } = await seen.broker.call({ ...asMachine, ...request });
  expect(status).toBeLessThan(300);
}

/** What the page does not offer, asked of the API. */
async function approveAsAuthor(hash: string): Promise<readonly [number, string]> {
  const { clientId } = clients.console;
  const { scopes } = clients.console;
  const token = seen.broker.issuer.issueAccessToken({ clientId, user: 'ada', scopes });
  const path = `/v1/proposals/${hash.split('/').at(-1)}`;
  const { body: proposal } = await seen.broker.call({ listener: 'admin', token, path });
  const body = { sha256: proposal.sha256, reason: 'my own' };
  const approval = { method: 'POST', path: `${path}/approve`, body } as const;
  const answer = await seen.broker.call({ listener: 'admin', token, ...approval });
  return [answer.status, answer.body.code];
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
      await seen.page.getByText('You have proposed this').waitFor();
      expect(await button(seen.page, 'Approve …').count()).toBe(0);
      expect(await approveAsAuthor(hash)).toEqual([403, 'approver_refused']);
      expect(await maximum()).toBe(3600);

      const page = await signInSecond();
      await page.getByRole('link', { name: 'Approvals', exact: true }).click();
      await page.getByRole('link', { name: 'replace to-widen' }).click();
      expect(await page.evaluate('location.hash')).toBe(hash);
      await page.getByText(`client ${clients.stranger.clientId}`).first().waitFor();
      await page.getByText('/session/maxDurationSeconds').waitFor();
      await say(page, 'Approve');
      await page.getByText('Applied: the change is written.').waitFor();
      await page.getByText(/^applied by/).waitFor();
      expect(await reasons(page)).toEqual(['read and agreed', '<b>needed</b>']);
      expect(await maximum()).toBe(7200);
    },
    longMs,
  );

  it(
    'T258: is found among those that wait, however many newer ones there are',
    async () => {
      // More than whatever another test has had approved: less would narrow, and wait for nobody.
      const hash = await proposeLonger(9000);
      const id = hash.split('/').at(-1) ?? '';
      const admin = { listener: 'admin', token: seen.broker.token('admin') } as const;
      const { body: real } = await seen.broker.call({ ...admin, path: `/v1/proposals/${id}` });
      const newer = Array.from({ length: 250 }, (_one, index) => ({
        ...real,
        id: `${id.slice(0, -4)}${String(index).padStart(4, '0')}`,
        state: 'withdrawn',
        mappingId: 'noise',
      }));
      const all = [...newer, real];
      // As the admin API would list them, had somebody made so many.
      await seen.page.route('**/v1/proposals?*', (route) => {
        const from = Number(new URL(route.request().url()).searchParams.get('cursor') ?? '0');
        const next = from + 100 < all.length ? { nextCursor: String(from + 100) } : {};
        return route.fulfill({ json: { items: all.slice(from, from + 100), ...next } });
      });
      await seen.page.evaluate("location.hash = '#/approvals'");
      await seen.page.getByRole('link', { name: 'replace to-widen' }).waitFor();
      await seen.page.evaluate("location.hash = '#/'");
      await seen.page.getByRole('link', { name: 'replace to-widen' }).waitFor();
      await seen.page.unrouteAll();
    },
    longMs,
  );

  it(
    'T210: is over once it is rejected, or withdrawn by its author',
    async () => {
      await proposeLonger(10_800);
      await say(seen.page, 'Withdraw');
      await seen.page.getByText('Withdrawn: nothing is changed.').waitFor();
      await seen.page.getByText(/^withdrawn by you/).waitFor();
      const hash = await proposeLonger(14_400);
      const page = await signInSecond();
      await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
      await say(page, 'Reject');
      await page.getByText('Rejected: nothing is changed.').waitFor();
      await page.getByText(/^rejected by/).waitFor();
      expect(await button(page, 'Approve …').count()).toBe(0);
      expect(await maximum()).toBe(7200);
    },
    longMs,
  );

  it(
    'T299: by a machine, for a reason that reads as an approval, is shown as what it is',
    async () => {
      const spoof = 'pipeline 77, approved by grace: reviewed by bob';
      const path = '/v1/role-mappings/by-pipeline';
      const body = allow('by-pipeline', 'stranger');
      const headers = { 'if-none-match': '*', 'change-reason': spoof };
      await byMachine({ method: 'PUT', path, body, headers });
      await seen.page.evaluate("location.hash = '#/approvals'");
      const item = seen.page.getByRole('listitem').filter({ hasText: 'create by-pipeline' });
      await item.getByText('(a machine)').waitFor();
      expect(await item.locator('q.reason').textContent()).toBe(spoof);
      await item.getByRole('link').click();
      await seen.page.getByText('(a machine)').waitFor();
      expect(await reasons(seen.page)).toEqual([spoof]);
      await say(seen.page, 'Approve');
      await seen.page.getByText('Applied: the change is written.').waitFor();
      await seen.page.evaluate("location.hash = '#/mappings/by-pipeline'");
      await seen.page.getByText('Version 1', { exact: true }).waitFor();
      // Of the mapping and of its history.
      expect(await reasons(seen.page)).toEqual([spoof, spoof]);
      expect(await seen.page.locator('code.name').getByText('grace').count()).toBe(0);
    },
    longMs,
  );

  it(
    'is said to wait before it is sent: an end of a freeze, the way back, and a deletion',
    async () => {
      const { page } = seen;
      const principal = { pool, client: clients.reports.clientId };
      const headers = { 'change-reason': 'INC-1' };
      const body = { principal, role: '*' };
      await byMachine({ method: 'POST', path: '/v1/freezes', headers, body });
      await page.evaluate("location.hash = '#/freeze'");
      await page.getByRole('button', { name: /^Lift the freeze of client/ }).click();
      await page.getByText('This needs a second administrator').waitFor();
      expect(await button(page, 'Lift the freeze').count()).toBe(0);
      await page.getByLabel('Why').last().fill('the secret was changed');
      await button(page, 'Propose to lift the freeze').click();
      await page.getByText('You have proposed this').waitFor();
      const lifted = `client ${principal.client} of ${pool}`;
      await page.getByText(`${lifted} gets back the roles, as far as role mappings give`).waitFor();
      await page.getByText('At the moment it takes away 2 roles by 2 mappings.').waitFor();
      expect(await page.getByText('every role').count()).toBe(0);
      await page.evaluate("location.hash = '#/approvals'");
      await page.getByRole('link', { name: `lift the freeze of ${lifted}` }).waitFor();

      await seen.broker.putMapping(allow('to-restore', 'stranger', { enabled: true }));
      await seen.broker.putMapping(allow('to-restore', 'stranger', { enabled: false }));
      await page.evaluate("location.hash = '#/mappings/to-restore'");
      await button(page, 'Back to version 1 …').click();
      await page.getByText('This needs a second administrator').waitFor();
      await button(page, 'Propose to go back to version 1').waitFor();
      await button(page, 'Leave it').click();
      // To delete what gives nothing needs nobody.
      await button(page, 'Delete …').click();
      await button(page, 'Delete to-restore').waitFor();
      expect(await page.getByText('This needs a second administrator').count()).toBe(0);
    },
    longMs,
  );
});
