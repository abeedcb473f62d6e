/** Chromium as Debian has it, steered by playwright-core, with an eye on what a page must never do. */

import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const executables = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** A folder where pictures of all pages are wanted. */
export const screenshotsIn = process.env['CONSOLE_SCREENSHOTS'];

export async function startBrowser(): Promise<Browser> {
  const executablePath = executables.find((path) => existsSync(path));
  if (executablePath === undefined) {
    throw new Error('these tests need Chromium: apt-get install chromium');
  }
  // Chromium has no sandbox for root, which is whom containers run as.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return await chromium.launch({ executablePath, args });
}

export interface Watched {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Violations of the content security policy, errors of scripts and whatever was written to the console. */
  readonly faults: readonly string[];
  /** Every address that was asked for, of all pages of the context. */
  readonly addresses: readonly string[];
}

export interface WatchedOptions {
  readonly colorScheme?: 'light' | 'dark';
  readonly width?: number;
  readonly height?: number;
}

/** Runs in every page, before its own scripts. */
const reportViolations = `addEventListener('securitypolicyviolation', (event) => {
  reportViolation('CSP: ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sourceFile);
});`;

/** A tab of its own, in a profile of its own. */
export async function openTab(browser: Browser, options: WatchedOptions = {}): Promise<Watched> {
  const { colorScheme = 'light', width = 1280, height = 900 } = options;
  const context = await browser.newContext({ colorScheme, viewport: { width, height } });
  context.setDefaultTimeout(15_000);
  const faults: string[] = [];
  const addresses: string[] = [];
  await context.exposeFunction('reportViolation', (text: string) => void faults.push(text));
  await context.addInitScript({ content: reportViolations });
  context.on('request', (request) => addresses.push(request.url()));
  context.on('page', (page) => {
    page.on('console', (message) => {
      // Chromium says of every answer from 400 on that a resource failed to load.
      if (message.text().startsWith('Failed to load resource')) return;
      faults.push(`${message.type()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
    page.on('dialog', (dialog) => {
      faults.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
  });
  const page = await context.newPage();
  return { context, page, faults, addresses };
}

/** From the page of the console that is open to the same one, signed in. */
export async function signInAs(page: Page, username: string): Promise<void> {
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: username, exact: true }).click();
  await page.getByRole('navigation').waitFor();
}
