/** Sign-in to the console in a real browser, and everything that must not sign anybody in. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Browser } from 'playwright-core';
import type { BrokerFixture } from '../support/broker-fixture.ts';
import { openTab, signInAs, startBrowser, type Watched } from '../support/browser.ts';
import { startConsoleBroker } from '../support/console-broker.ts';

let browser: Browser;
let broker: BrokerFixture;
let tab: Watched;
let home: string;

beforeAll(async () => {
  [browser, broker] = await Promise.all([startBrowser(), startConsoleBroker()]);
  home = `${broker.urls.admin}/console/`;
});
afterAll(async () => {
  await browser.close();
  await broker.stop();
});
beforeEach(async () => {
  tab = await openTab(browser);
});
afterEach(async () => {
  await tab.context.close();
  expect(tab.faults).toEqual([]);
});

/** Up to the page of the sign-in, with what it was asked. */
async function begin(): Promise<URL> {
  await tab.page.goto(home);
  await tab.page.getByRole('button', { name: 'Sign in' }).click();
  await tab.page.getByRole('heading', { name: 'Who are you?' }).waitFor();
  return new URL(tab.page.url());
}

/** Ada signs in; the answer arrives as `change` has it. Returns it as it was. */
async function answered(change: (parameters: URLSearchParams) => void = () => {}): Promise<URL> {
  let answer: URL | undefined;
  const authorize = `${broker.issuer.origin}/oauth2/authorize*`;
  await tab.page.route(authorize, async (route) => {
    const response = await route.fetch({ maxRedirects: 0 });
    answer = new URL(response.headers()['location'] ?? '');
    const changed = new URL(answer);
    change(changed.searchParams);
    await route.fulfill({ response, headers: { location: changed.href } });
  });
  await tab.page.getByRole('button', { name: 'ada', exact: true }).click();
  await tab.page.waitForURL(home);
  await tab.page.unroute(authorize);
  if (answer === undefined) throw new Error('the sign-in has not answered');
  return answer;
}

const redeemed = () => tab.addresses.filter((url) => url === broker.issuer.tokenEndpoint);

async function expectNobody(words: string | RegExp): Promise<void> {
  await tab.page.getByText(words).waitFor();
  await tab.page.getByRole('button', { name: 'Sign in' }).waitFor();
  expect(await tab.page.getByRole('navigation').count()).toBe(0);
  expect(new URL(tab.page.url()).search).toBe('');
}

describe('sign-in', () => {
  it('shows whoever signed in who they are, and goes on where they were', async () => {
    await tab.page.goto(`${home}#/nowhere`);
    await signInAs(tab.page, 'ada');
    await tab.page.getByRole('heading', { name: 'There is no such page' }).waitFor();
    await tab.page.getByText('ada').waitFor();
    await tab.page.getByRole('link', { name: 'Home' }).first().click();
    await tab.page.getByRole('heading', { name: 'Home' }).waitFor();
    await tab.page.getByText('Policy revision').waitFor();
    expect(await tab.page.title()).toBe('Home · token-broker');
  });

  it('asks by PKCE with S256, for the scopes of administrators, in a sign-in that nobody can guess', async () => {
    const first = (await begin()).searchParams;
    const second = (await begin()).searchParams;
    expect(Object.fromEntries(first)).toEqual({
      response_type: 'code',
      client_id: '6console0example0client0i',
      redirect_uri: home,
      scope: 'broker/admin.read broker/admin.write broker/admin.freeze',
      state: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
    });
    expect(first.get('state')).not.toBe(second.get('state'));
    expect(first.get('code_challenge')).not.toBe(second.get('code_challenge'));
  });

  it('T172: leaves no token where anything else could find it', async () => {
    let token = '';
    tab.page.on('request', (request) => {
      token ||= request.headers()['authorization']?.replace('Bearer ', '') ?? '';
    });
    await tab.page.goto(home);
    await signInAs(tab.page, 'ada');
    await tab.page.getByText('Policy revision').waitFor();
    expect(token).toMatch(/^eyJ/);
    const kept = await tab.page.evaluate<string>(
      `JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie,
        document.documentElement.outerHTML, location.href, name, history.state])`,
    );
    const signature = token.split('.')[2] ?? '';
    expect(kept).not.toContain(signature);
    expect(kept).not.toContain('verifier');
    expect(tab.addresses.join('\n')).not.toContain(signature);
    expect(await tab.context.cookies()).toEqual([]);
    const another = await tab.context.newPage();
    await another.goto(home);
    await another.getByRole('button', { name: 'Sign in' }).waitFor();
    await tab.page.reload();
    await tab.page.getByRole('button', { name: 'Sign in' }).waitFor();
  });

  it('T172: leaves no code in the address or in the history', async () => {
    await tab.page.goto(home);
    await signInAs(tab.page, 'ada');
    expect(tab.page.url()).not.toContain('code');
    await tab.page.goBack();
    expect(tab.page.url()).not.toContain(`${home}?`);
  });

  it('forgets the token when somebody signs out', async () => {
    await tab.page.goto(home);
    await signInAs(tab.page, 'ada');
    await tab.page.getByRole('button', { name: 'Sign out' }).click();
    await expectNobody('Signed out.');
  });

  it('tells whoever is no administrator so', async () => {
    await tab.page.goto(home);
    await signInAs(tab.page, 'cleo');
    await tab.page.getByText('access_denied').first().waitFor();
    await tab.page.getByText('This listener is for administrators.').first().waitFor();
  });
});

describe('an answer of the sign-in', () => {
  it('T169: with another state signs nobody in, and its code is not redeemed', async () => {
    await begin();
    await answered((parameters) => parameters.set('state', 'A'.repeat(43)));
    await expectNobody(/not begun here/);
    expect(redeemed()).toEqual([]);
  });

  it('T169: without a state signs nobody in', async () => {
    await begin();
    await answered((parameters) => parameters.delete('state'));
    await expectNobody(/not begun here/);
    expect(redeemed()).toEqual([]);
  });

  it('T169: that nobody in this browser asked for signs nobody in', async () => {
    await begin();
    const answer = await answered();
    const victim = await openTab(browser);
    await victim.page.goto(answer.href);
    await victim.page.getByText(/not begun here/).waitFor();
    expect(victim.addresses.filter((url) => url === broker.issuer.tokenEndpoint)).toEqual([]);
    expect(victim.faults).toEqual([]);
    await victim.context.close();
  });

  it('T169: of another issuer signs nobody in, and its code is not redeemed', async () => {
    await begin();
    await answered((parameters) => parameters.set('iss', 'https://evil.example'));
    await expectNobody(/Another issuer/);
    expect(redeemed()).toEqual([]);
  });

  it('T169: with the code of another sign-in is refused by the issuer, for want of its verifier', async () => {
    let stolen = '';
    await begin();
    await answered((parameters) => {
      stolen = parameters.get('code') ?? '';
      parameters.set('state', 'not this one');
    });
    await begin();
    await answered((parameters) => parameters.set('code', stolen));
    await expectNobody(/invalid_grant/);
  });

  it('T169: is good once, also for the tab that asked', async () => {
    await begin();
    const answer = await answered();
    await tab.page.getByRole('navigation').waitFor();
    await tab.page.goto(answer.href);
    await expectNobody(/not begun here/);
    expect(redeemed()).toHaveLength(1);
  });

  it('T169: that says no is shown as text', async () => {
    await begin();
    await answered((parameters) => {
      parameters.delete('code');
      parameters.set('error', '<img src=x onerror=alert(1)>\u202e');
    });
    await expectNobody('The sign-in says: <img src=x onerror=alert(1)>⟨U+202E⟩.');
  });

  it('says so when the issuer is away, and lets somebody try again', async () => {
    await tab.page.route(broker.issuer.tokenEndpoint, (route) => route.abort());
    await begin();
    await answered();
    await expectNobody('The sign-in cannot be reached.');
    await tab.page.unroute(broker.issuer.tokenEndpoint);
    await signInAs(tab.page, 'ada');
  });
});
