/** What must hold on every page of the console: for those who cannot see or point, in both themes, and whatever texts hold. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import type { RoleMappingInput } from '../../src/core/policy/role-mapping.ts';
import type { BrokerFixture } from '../support/broker-fixture.ts';
import {
  openTab,
  screenshotsIn,
  signInAs,
  startBrowser,
  type Watched,
} from '../support/browser.ts';
import { ada, grace, startConsoleBroker } from '../support/console-broker.ts';
import { type ConsolePage, consolePages } from '../support/console-pages.ts';
import { allow, clients, defaultMappings, pool, roleNamed } from '../support/outside-world.ts';

/** Each must be seen as it stands here, or with what is invisible spelled out. */
const hostileTexts = [
  '<img src=x onerror=alert(1)>',
  '<script>alert(2)</script>',
  '"><svg/onload=alert(3)>',
  'javascript:alert(4)//\'"`',
  '</textarea></title><iframe srcdoc="<script>alert(5)</script>">',
  '{{constructor.constructor("alert(6)")()}}#{alert(7)}',
  '&lt;b&gt;&#60;i&#62;',
  '__proto__',
  'a\u202egnp.exe',
  'ad\u200bmin\u2066x\u2069\ufeff',
  'tag\u{e0041}\u{e0042} \u00a0\u3164\u034f',
  'line\nfeed\u0000\u0007',
  '\ud800',
];
const unseen = new Set([
  ...'\u202e\u200b\u2066\u2069\ufeff\u{e0041}\u{e0042}\u00a0\u3164\u034f\0\u0007',
]);
const seenAs = (text: string) =>
  [...text]
    .map((one) => (unseen.has(one) ? `⟨U+${codeOf(one).toUpperCase().padStart(4, '0')}⟩` : one))
    .join('');
const codeOf = (character: string) => (character.codePointAt(0) ?? 0).toString(16);

const hostile: readonly RoleMappingInput[] = hostileTexts.map((text, index) => {
  const inGroup = text.replaceAll(/[^\p{L}\p{M}\p{S}\p{N}\p{P}]/gu, '');
  return {
    id: `hostile-${index}`,
    description: text,
    principal: { pool, group: inGroup.normalize('NFC') },
    effect: 'allow',
    role: roleNamed('hostile'),
    owner: 'test-team',
    session: { policy: { Version: '2012-10-17', Statement: [statement(text)] } },
  };
});

function statement(text: string) {
  const sid = text.replaceAll(/[^A-Za-z0-9]/g, '');
  return { Sid: sid, Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::bucket/*' };
}

/** Every text in it but what says of which kind something is. */
function hostileThroughout(value: unknown, text: string, name = ''): unknown {
  if (typeof value === 'string')
    return /^(?:state|action|effect|outcome)$/.test(name) ? value : text;
  if (Array.isArray(value)) return value.map((one) => hostileThroughout(one, text, name));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, hostileThroughout(one, text, key)]),
  );
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const evil = { ...ada, sub: '7d8e2a5c-9999-4222-8333-944445555666', username: 'eve<b>\u202e' };

/** A limit against hanging: these go through all pages. */
const longMs = 300_000;

let browser: Browser;
let broker: BrokerFixture;
let tab: Watched;
let pages: Readonly<Record<string, ConsolePage>>;
let proposals: readonly string[];

beforeAll(async () => {
  [browser, broker] = await Promise.all([
    startBrowser(),
    startConsoleBroker({
      users: [ada, grace, evil],
      mappings: [...defaultMappings, allow('to-widen', 'stranger'), ...hostile.filter(isStorable)],
      configure: (config) => ({
        ...config,
        guardrails: { ...config.guardrails, approval: { when: 'widens', roles: ['to-widen'] } },
      }),
    }),
  ]);
  const admin = { listener: 'admin', token: broker.token('admin') } as const;
  const headers = { 'change-reason': 'so that there is one to look at' };
  const body = { principal: { pool, client: clients.stranger.clientId }, role: '*' };
  await broker.call({ ...admin, method: 'POST', path: '/v1/freezes', headers, body });
  for (const body of [undefined, { role: 'nothing' }]) await broker.issue('orders', body);
  proposals = [await propose(4000), await propose(5000)];
  pages = consolePages(proposals[0] ?? '');
});
afterAll(async () => {
  await browser.close();
  await broker.stop();
});
afterEach(async () => {
  await tab.context.close();
  expect(tab.faults).toEqual([]);
});

/** As a machine, so that whoever signs in may approve it. */
async function propose(maxDurationSeconds: number): Promise<string> {
  const { status, body } = await broker.call({
    listener: 'admin',
    token: broker.token('admin'),
    method: 'PUT',
    path: '/v1/role-mappings/to-widen',
    headers: { 'change-reason': 'longer sessions', 'if-match': '"1"' },
    body: allow('to-widen', 'stranger', { session: { maxDurationSeconds } }),
  });
  expect(status).toBe(202);
  return body.proposal.id;
}

/** The table keeps no lone surrogates. */
function isStorable({ description }: RoleMappingInput): boolean {
  return !/\p{Cs}/u.test(description ?? '');
}

async function openSignedIn(options: Parameters<typeof openTab>[1] = {}): Promise<Page> {
  tab = await openTab(browser, options);
  await tab.page.goto(`${broker.urls.admin}/console/`);
  await signInAs(tab.page, 'ada');
  return tab.page;
}

async function show(page: Page, hash: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  if (hash.startsWith('#/explain')) {
    await page.getByRole('button', { name: 'Explain', exact: true }).click();
    await page.getByRole('heading', { name: 'Answer' }).waitFor();
  }
  if (/#\/(?:new|edit)/.test(hash)) {
    await page.getByText(/The broker would take it|mapping_invalid/).waitFor();
  }
  const main = page.locator('main');
  await main.filter({ hasNotText: /(?:Loading|Checking|Looking) …/ }).waitFor();
}

async function axeFindings(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe);
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  return await page.evaluate<readonly string[]>(
    `axe.run(document, { runOnly: ${JSON.stringify(tags)} }).then(({ violations }) =>
      violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ': ' + html)))`,
  );
}

describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
  it(
    'axe finds nothing against WCAG 2.2 AA on any page',
    async () => {
      const page = await openSignedIn({ colorScheme });
      const findings: Record<string, readonly string[]> = {};
      for (const [name, { hash, ready }] of Object.entries(pages)) {
        await show(page, hash);
        await page.getByText(ready).first().waitFor();
        findings[name] = await axeFindings(page);
        await screenshot(page, `${fileName(name)}-${colorScheme}`);
      }
      await Promise.all([
        page.waitForEvent('load'),
        page.getByRole('button', { name: 'Sign out' }).click(),
      ]);
      await page.getByText('Signed out.').waitFor();
      findings['sign-in'] = await axeFindings(page);
      await screenshot(page, `sign-in-${colorScheme}`);
      const none = [...Object.keys(pages), 'sign-in'].map((name) => [name, []]);
      expect(findings).toEqual(Object.fromEntries(none));
    },
    longMs,
  );
});

function fileName(name: string): string {
  return name === '' ? 'home' : name.replace('/…', '-one');
}

async function screenshot(page: Page, name: string): Promise<void> {
  if (screenshotsIn === undefined) return;
  await page.screenshot({ path: join(screenshotsIn, `${name}.png`), fullPage: true });
}

it(
  'at 200 per cent nothing has to be scrolled sideways',
  async () => {
    const page = await openSignedIn({ width: 640, height: 450 });
    for (const [name, { hash, ready }] of Object.entries(pages)) {
      await show(page, hash);
      await page.getByText(ready).first().waitFor();
      const [has, may] = await page.evaluate<[number, number]>(
        '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
      );
      await screenshot(page, `${fileName(name)}-200`);
      expect([name, has <= may]).toEqual([name, true]);
    }
  },
  longMs,
);

describe('texts', () => {
  it(
    'T170, T171: of policies run nowhere, and what cannot be seen in them is spelled out',
    async () => {
      const page = await openSignedIn();
      for (const { id, description = '', principal } of hostile.filter(isStorable)) {
        for (const hash of [`#/mappings/${id}`, `#/edit/${id}`]) await show(page, hash);
        await show(page, `#/mappings/${id}`);
        const shown = await page.locator('dd').nth(1).textContent();
        expect(shown).toBe(seenAs(description));
        const group = 'group' in principal ? principal.group : '';
        expect(await page.locator('dd').nth(2).textContent()).toBe(
          `group ${seenAs(group)} of ${pool}`,
        );
        expect(await page.locator('pre').first().textContent()).not.toMatch(
          /[\u202e\u200b\u2066\ufeff\u3164]/,
        );
      }
      await show(page, '#/mappings');
      expect(await page.locator('script:not([src]), iframe, img, svg').count()).toBe(0);
    },
    longMs,
  );

  it(
    'T170, T171: of the address and of fields run nowhere',
    async () => {
      const page = await openSignedIn();
      for (const text of hostileTexts.filter((one) => !/\p{Cs}/u.test(one))) {
        const written = encodeURIComponent(text);
        await page.evaluate(`location.hash = '#/mappings/' + ${JSON.stringify(written)}`);
        await page.getByText(/mapping_not_found|request_malformed|console_fault/).waitFor();
        await page.evaluate(`location.hash = '#/explain?pool=' + ${JSON.stringify(written)}`);
        await page.getByLabel('App client').fill(text);
        await page.getByLabel('Role', { exact: true }).fill(text);
        await page.getByRole('button', { name: 'Explain', exact: true }).click();
        await page.getByText('body_invalid').waitFor();
      }
      expect(await page.locator('script:not([src]), iframe, img, svg').count()).toBe(0);
    },
    longMs,
  );

  it(
    'T170, T171: in every field of a proposal run nowhere, and what cannot be seen in them is spelled out',
    async () => {
      const page = await openSignedIn();
      const path = `/v1/proposals/${proposals[0]}`;
      const admin = { listener: 'admin', token: broker.token('admin') } as const;
      const { body: real } = await broker.call({ ...admin, path });
      for (const text of hostileTexts.filter((one) => !/\p{Cs}/u.test(one))) {
        // As it would be if somebody had written it into the table around the broker.
        await page.route(`**${path}`, (route) =>
          route.fulfill({ json: hostileThroughout(real, text) }),
        );
        await show(page, '#/');
        await show(page, `#/approvals/${proposals[0]}`);
        await page.getByRole('heading', { name: 'What would be written' }).waitFor();
        const shown = (await page.locator('main').textContent()) ?? '';
        expect(shown).not.toMatch(/[\u202e\u200b\u2066\ufeff\u3164]/);
        expect(shown.split(seenAs(text)).length).toBeGreaterThan(5);
        await page.unroute(`**${path}`);
      }
      expect(await page.locator('script:not([src]), iframe, img, svg').count()).toBe(0);
    },
    longMs,
  );

  it('T170, T171: of whoever is signed in are shown as they are', async () => {
    tab = await openTab(browser);
    await tab.page.goto(`${broker.urls.admin}/console/`);
    await signInAs(tab.page, evil.username);
    await tab.page.getByText('eve<b>⟨U+202E⟩').waitFor();
  });

  it('T171: as JSON mean the same after they were made visible', async () => {
    const page = await openSignedIn();
    const { id } = hostile.find(({ description }) => description?.includes('\u200b')) ?? {};
    await show(page, `#/edit/${id}`);
    await page.getByLabel('as JSON').check();
    const text = await page.getByLabel('Document').inputValue();
    expect(text).toContain('\\u200b');
    const stored = (await broker.table.get(id ?? ''))?.mapping;
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(stored)));
    await page.getByText('nothing is different').waitFor();
  });
});

describe('by keyboard alone', () => {
  /** Goes on until the element that has the focus is called that. */
  async function tabTo(page: Page, name: string): Promise<void> {
    for (let steps = 0; steps < 60; steps += 1) {
      await page.keyboard.press('Tab');
      const focused = await page.evaluate<string>(
        `(({ activeElement: one }) => (one.labels?.[0] ?? one).textContent.trim())(document)`,
      );
      if (focused === name) return;
    }
    throw new Error(`the keyboard does not get to ${name}`);
  }

  it('somebody signs in, goes to a page, and looks at what a freeze would take away', async () => {
    tab = await openTab(browser);
    const { page } = tab;
    await page.goto(`${broker.urls.admin}/console/`);
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    await tabTo(page, 'Sign in');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Who are you?' }).waitFor();
    await tabTo(page, 'ada');
    await page.keyboard.press('Enter');
    await page.getByRole('navigation').waitFor();
    await tabTo(page, 'Freeze');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Freeze', exact: true }).waitFor();
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Freeze');
    await tabTo(page, 'Pool');
    await page.keyboard.type(pool);
    await tabTo(page, 'Name');
    await page.keyboard.type(clients.reports.clientId);
    await tabTo(page, 'Show what it takes away');
    await page.keyboard.press('Enter');
    await page.getByText('2 roles, by 2 mappings').waitFor();
    await tabTo(page, `Type ${clients.reports.clientId} to confirm`);
  });

  it('somebody reads a change that waits, and approves it', async () => {
    const page = await openSignedIn();
    await tabTo(page, 'Approvals');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Waiting' }).waitFor();
    await tabTo(page, 'replace to-widen');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'What would be written' }).waitFor();
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Approval');
    await tabTo(page, 'Approve …');
    await page.keyboard.press('Enter');
    await tabTo(page, 'Why');
    await page.keyboard.type('read from end to end');
    await tabTo(page, 'Approve');
    await page.keyboard.press('Enter');
    await page.getByText('Applied: the change is written.').waitFor();
  });

  it('what has the focus can be seen', async () => {
    const page = await openSignedIn();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    const width = await page.evaluate('getComputedStyle(document.activeElement).outlineWidth');
    expect(width).toBe('3px');
  });
});
