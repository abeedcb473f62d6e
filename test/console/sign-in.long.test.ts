/** Sign-in to the console in a real browser, and everything that must not sign anybody in. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Browser, BrowserContext, Page } from 'playwright-core';
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
  // Nobody whom the sign-in remembers.
  await tab.context.clearCookies();
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
    // The sign-in's own, by which it remembers people.
    const cookies = await tab.context.cookies();
    expect(cookies.map(({ name, httpOnly }) => [name, httpOnly])).toEqual([
      ['issuer-session', true],
    ]);
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

  it('is one click for whoever the sign-in remembers', async () => {
    await tab.page.goto(home);
    await signInAs(tab.page, 'ada');
    await tab.page.reload();
    await tab.page.getByRole('button', { name: 'Sign in' }).click();
    await tab.page.getByRole('navigation').waitFor();
  });

  it('T256: ends for the sign-in as well when somebody signs out', async () => {
    await tab.page.goto(home);
    await signInAs(tab.page, 'ada');
    const [logout] = await Promise.all([
      tab.page.waitForRequest((request) => new URL(request.url()).pathname === '/logout'),
      tab.page.waitForEvent('load'),
      tab.page.getByRole('button', { name: 'Sign out' }).click(),
    ]);
    expect(Object.fromEntries(new URL(logout.url()).searchParams)).toEqual({
      client_id: '6console0example0client0i',
      logout_uri: home,
    });
    await expectNobody('Signed out.');
    // Also for whoever comes to this browser later, and is asked for no fresh sign-in.
    await tab.page.reload();
    await tab.page.getByRole('button', { name: 'Sign in' }).click();
    await tab.page.getByRole('heading', { name: 'Who are you?' }).waitFor();
  });

  it('T256: is over here at once, also when the sign-in cannot be reached', async () => {
    await tab.page.goto(home);
    await signInAs(tab.page, 'ada');
    await tab.page.route(`${broker.issuer.origin}/logout*`, (route) => route.abort());
    const failed = tab.page.waitForEvent('requestfailed');
    await tab.page.getByRole('button', { name: 'Sign out' }).click();
    await failed;
    await tab.page.goto(home);
    await expectNobody('Signed out.');
    // It remembers them still: a fresh sign-in is asked for.
    await tab.page.getByRole('button', { name: 'Sign in' }).click();
    await tab.page.getByRole('heading', { name: 'Who are you?' }).waitFor();
  });

  it('T257: leaves no token in a page that the browser keeps for the way back', async () => {
    await tab.page.goto(home);
    await signInAs(tab.page, 'ada');
    await tab.page.evaluate(
      "dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))",
    );
    await tab.page.getByRole('button', { name: 'Sign in' }).waitFor();
    expect(await tab.page.getByRole('navigation').count()).toBe(0);
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
    await tab.page.getByRole('button', { name: 'Sign in' }).click();
    await tab.page.getByRole('navigation').waitFor();
  });
});

describe('a page of another origin', () => {
  let context: BrowserContext;
  let evil: Page;
  beforeEach(async () => {
    // One of this machine, which browsers keep from the console by nothing but its headers.
    const address = `${broker.issuer.origin}/evil`;
    context = await browser.newContext();
    context.setDefaultTimeout(15_000);
    await context.route(address, (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>evil</title>' }),
    );
    evil = await context.newPage();
    await evil.goto(address);
  });
  afterEach(() => context.close());

  /** A window of the console that the other page has opened, and in which somebody has signed in. */
  async function openedByEvil(): Promise<Page> {
    const [popup] = await Promise.all([
      evil.waitForEvent('popup'),
      evil.evaluate(`void (window.held = open(${JSON.stringify(home)}))`),
    ]);
    await signInAs(popup, 'ada');
    return popup;
  }

  it('T259: that opens the console has no hold on it, and is none to it', async () => {
    const popup = await openedByEvil();
    expect(await popup.evaluate('[opener, name]')).toEqual([null, '']);
    const held = await evil.evaluate(`(() => {
      const tried = (what) => { try { return String(what()); } catch (error) { return error.name; } };
      held.postMessage({ token: 'give it to me' }, '*');
      return [held.closed, tried(() => held.length), tried(() => held.location.href), tried(() => held.document)];
    })()`);
    expect(held).toEqual([true, '0', 'SecurityError', 'SecurityError']);
    // Nor can it take it elsewhere, to a sign-in of its own.
    await evil.evaluate(`void (held.location = ${JSON.stringify(`${home}?code=x&state=y`)})`);
    await popup.getByRole('navigation').waitFor();
    expect(popup.url()).not.toContain('code=');
  });

  it('T259: can neither frame it nor load it, and asks the API in vain', async () => {
    await openedByEvil();
    const own = String(broker.urls.admin);
    const got = await evil.evaluate<readonly string[]>(`(async () => {
      const loads = (name, source) => new Promise((done) => {
        const one = document.createElement(name);
        one.onload = () => done(name + ' loads');
        one.onerror = () => done(name + ' fails');
        one.src = source;
        document.body.append(one);
      });
      const asks = (path, init) => fetch(${JSON.stringify(own)} + path, init).then(
        (answer) => answer.type, () => 'no answer');
      return [
        await loads('script', ${JSON.stringify(home)} + 'sign-in.json'),
        await loads('img', ${JSON.stringify(home)} + 'icon.svg'),
        await asks('/console/sign-in.json'),
        await asks('/v1/freezes', { headers: { authorization: 'Bearer x' } }),
        await asks('/v1/freezes', { method: 'POST', mode: 'no-cors', body: '{}' }),
      ];
    })()`);
    expect(got.slice(0, 4)).toEqual(['script fails', 'img fails', 'no answer', 'no answer']);
    expect(broker.auditRecords().filter(({ type }) => type === 'mapping_change')).toEqual([]);
    await evil.evaluate(`void (() => {
      const frame = document.createElement('iframe');
      frame.src = ${JSON.stringify(home)};
      document.body.append(frame);
    })()`);
    await evil.waitForFunction("document.querySelector('iframe').contentWindow.length === 0");
    const framed = evil.frames().find((frame) => frame !== evil.mainFrame());
    expect(await framed?.getByRole('button', { name: 'Sign in' }).count()).toBe(0);
  });

  it('T259: of the same browser hears nothing of the token, whatever way pages talk to each other', async () => {
    const heard = await tab.context.newPage();
    await heard.goto(`${home}api.html`);
    await heard.evaluate(`(() => {
      window.heard = [];
      addEventListener('message', ({ data }) => heard.push(data));
      addEventListener('storage', ({ newValue }) => heard.push(newValue));
      for (const name of ['token', 'session', 'sign-in', 'auth']) {
        new BroadcastChannel(name).onmessage = ({ data }) => heard.push(data);
      }
    })()`);
    await tab.page.goto(home);
    await signInAs(tab.page, 'ada');
    await tab.page.getByText('Policy revision').waitFor();
    expect(await heard.evaluate('heard')).toEqual([]);
    const kinds = await heard.evaluate(`(async () => [
      (await indexedDB.databases()).length,
      (await caches.keys()).length,
      (await navigator.serviceWorker.getRegistrations()).length,
      localStorage.length,
    ])()`);
    expect(kinds).toEqual([0, 0, 0, 0]);
  });
});
