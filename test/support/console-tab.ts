/** A tab of the console for each test of a file, in which Ada has signed in, and the broker that serves it. */

import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import type { Browser, Locator, Page } from 'playwright-core';
import type { BrokerFixture, BrokerFixtureOptions } from './broker-fixture.ts';
import { openTab, signInAs, startBrowser, type Watched } from './browser.ts';
import { startConsoleBroker } from './console-broker.ts';

export interface ConsoleTab {
  readonly browser: Browser;
  readonly broker: BrokerFixture;
  readonly tab: Watched;
  readonly page: Page;
  /** In the navigation. */
  link(name: string): Locator;
}

/** To be called once, at the top of a file: each test also fails on whatever a page must never do. */
export function consoleTab(options?: BrokerFixtureOptions): ConsoleTab {
  let browser: Browser;
  let broker: BrokerFixture;
  let tab: Watched;
  beforeAll(async () => {
    [browser, broker] = await Promise.all([startBrowser(), startConsoleBroker(options)]);
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
  return {
    get browser() {
      return browser;
    },
    get broker() {
      return broker;
    },
    get tab() {
      return tab;
    },
    get page() {
      return tab.page;
    },
    link: (name) => tab.page.getByRole('navigation').getByRole('link', { name, exact: true }),
  };
}
