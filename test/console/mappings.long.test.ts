/** Role mappings in the console: found, read, changed and put back. */

import { describe, expect, it } from '@jest/globals';
import { consoleTab } from '../support/console-tab.ts';
import { allow, defaultMappings } from '../support/outside-world.ts';

const seen = consoleTab({
  mappings: [
    ...defaultMappings,
    allow('to-edit', 'stranger', { description: 'as it was' }),
    allow('to-undo', 'stranger', { description: 'the first' }),
    allow('to-delete', 'stranger'),
    allow('contested', 'stranger', { description: 'base' }),
  ],
});
const { link } = seen;
const button = (name: string | RegExp) =>
  seen.page.getByRole('button', { name, exact: typeof name === 'string' });
const heading = (name: string) => seen.page.getByRole('heading', { name, exact: true });
const goTo = (hash: string) => seen.page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
const current = async (id: string) => (await seen.broker.table.get(id))?.mapping;

describe('the list', () => {
  it('finds mappings by every word, and keeps what was searched in the address', async () => {
    await link('Mappings').click();
    await seen.page.getByText('8 of 8 mappings').waitFor();
    await seen.page.getByLabel('Search').fill('REPORTS publisher');
    await seen.page.getByText('1 of 8 mappings').waitFor();
    await seen.page.getByRole('link', { name: 'reports-publisher' }).click();
    await heading('reports-publisher').waitFor();
    await seen.page.goBack();
    await seen.page.getByText('1 of 8 mappings').waitFor();
    expect(await seen.page.getByLabel('Search').inputValue()).toBe('REPORTS publisher');
  });
});

interface Frame {
  readonly status: string;
  readonly rows: number;
}

describe('ten thousand mappings', () => {
  const most = 10_000;
  const issuedSince = '2026-01-15T08:00:00.000Z';

  it('answer to what is typed by the next frame, and draw but a page of them', async () => {
    const listed = (index: number) => ({
      version: 1,
      lastIssuedAt: null,
      mapping: {
        ...allow(`mapping-${index}`, 'orders', { owner: `team-${index % 100}` }),
        description: 'a description as people write them',
        conditions: {},
        session: { policyArns: [] },
        managedBy: 'api',
        enabled: index % 7 > 0,
      },
    });
    // As the admin API would list them: to write so many into a table takes longer than to look at them.
    await seen.page.route('**/v1/role-mappings?*', (route) => {
      const from = Number(new URL(route.request().url()).searchParams.get('cursor') ?? '0');
      const items = Array.from({ length: 200 }, (_one, index) => listed(from + index));
      const nextCursor = from + 200 < most ? { nextCursor: String(from + 200) } : {};
      return route.fulfill({
        json: { revision: 1, issuedSince, items, quarantined: [], ...nextCursor },
      });
    });
    await link('Mappings').click();
    await seen.page.getByText(`${most} of ${most} mappings`).waitFor();
    const frames = await seen.page.evaluate<readonly Frame[]>(`(async () => {
      const input = document.querySelector('input[type=search]');
      const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      const frames = [];
      for (const text of ['mapping-9999', 'team-7', 'nothing like it', '']) {
        input.value = text;
        input.dispatchEvent(new Event('input', { bubbles: true }));
        await drawn();
        const status = document.querySelector('p[role=status]').textContent.trim();
        frames.push({ status, rows: document.querySelectorAll('tbody tr').length });
      }
      return frames;
    })()`);
    expect(frames).toEqual([
      { status: `1 of ${most} mappings`, rows: 1 },
      { status: `1100 of ${most} mappings`, rows: 50 },
      { status: `0 of ${most} mappings`, rows: 0 },
      { status: `${most} of ${most} mappings`, rows: 50 },
    ]);
    await seen.page.getByLabel('Search').fill('mapping-9999');
    await seen.page.getByText(`1 of ${most} mappings`).waitFor();
  }, 120_000);
});

describe('one mapping', () => {
  it('is shown with who gets its role, by whom it was changed and why', async () => {
    await goTo('#/mappings/orders-writer');
    await heading('Who gets this role').waitFor();
    await seen.page.getByText('allow client 1orders0example0client0id0').waitFor();
    await seen.page
      .getByText(/Version 1.*by test.*made for a test/s)
      .first()
      .waitFor();
  });

  it('says when credentials were last issued by it, and how far back this instance can tell', async () => {
    await goTo('#/mappings/orders-writer');
    await seen.page.getByText(/^not, by this instance since/).waitFor();
    await seen.broker.issue('orders');
    await goTo('#/mappings');
    const cell = seen.page
      .getByRole('row', { name: /^orders-writer/ })
      .getByRole('cell')
      .last();
    await cell.waitFor();
    expect(await cell.textContent()).toMatch(/\d{2}/);
    await seen.page.getByRole('link', { name: 'orders-writer', exact: true }).click();
    await seen.page.getByText(/\d{2}.*, by this instance since/).waitFor();
  });

  it('goes back to an earlier version, after a look at what would change', async () => {
    await seen.broker.putMapping(allow('to-undo', 'stranger', { description: 'the second' }));
    await goTo('#/mappings/to-undo');
    await button('Differences of version 2').click();
    await seen.page.getByText('What version 2 changed').waitFor();
    await button('Back to version 1 …').click();
    await seen.page.getByText('What would change').waitFor();
    expect(await button('Go back to version 1').isDisabled()).toBe(true);
    await seen.page.getByLabel('Why').fill('the second was wrong');
    await button('Go back to version 1').click();
    await seen.page.getByText('Version 3', { exact: true }).waitFor();
    expect(await current('to-undo')).toMatchObject({ description: 'the first' });
    expect(await seen.broker.table.get('to-undo')).toMatchObject({
      updatedBy: expect.stringContaining('7d8e2a5c'),
      actorProven: true,
      reason: 'the second was wrong',
    });
  });

  it('says at once who gets the role, when going back has ended it', async () => {
    await seen.broker.putMapping(allow('to-end', 'stranger', { enabled: false }));
    await seen.broker.putMapping(allow('to-end', 'stranger', { enabled: true }));
    await goTo('#/mappings/to-end');
    const who = seen.page.getByRole('listitem').filter({ hasText: 'by to-end' });
    await who.filter({ hasText: '(in force)' }).waitFor();
    await button('Back to version 1 …').click();
    await seen.page.getByLabel('Why').fill('it is over');
    await button('Go back to version 1').click();
    await who.filter({ hasText: '(disabled)' }).waitFor();
  });

  it('is deleted when its id is typed, and comes back from its history', async () => {
    await goTo('#/mappings/to-delete');
    await button('Delete …').click();
    await seen.page.getByLabel('Why').fill('nobody needs it');
    await seen.page.getByLabel('Type to-delete to confirm').fill('to-delet');
    expect(await button('Delete to-delete').isDisabled()).toBe(true);
    await seen.page.getByLabel('Type to-delete to confirm').fill('to-delete');
    await button('Delete to-delete').click();
    await seen.page.getByText('This mapping was deleted.').waitFor();
    expect(await current('to-delete')).toBeUndefined();

    await button('Back to version 1 …').click();
    await seen.page.getByLabel('Why').fill('somebody does');
    await button('Go back to version 1').click();
    await seen.page.getByText('Version 3', { exact: true }).waitFor();
    expect(await current('to-delete')).toBeDefined();
  });

  it('has all its versions, however many, and each with what it changed', async () => {
    const most = 120;
    const { body } = await seen.broker.call({
      listener: 'admin',
      token: seen.broker.token('admin'),
      path: '/v1/role-mappings/reports-reader/versions',
    });
    const [real] = body.items;
    const version = (number: number) => ({
      ...real,
      version: number,
      mapping: { ...real.mapping, description: `the words of ${number}` },
    });
    // As the admin API would list them: to write so many takes longer than to look at them.
    await seen.page.route('**/reports-reader/versions?*', (route) => {
      const from = Number(new URL(route.request().url()).searchParams.get('cursor') ?? most);
      const items = Array.from({ length: Math.min(50, from) }, (_one, index) =>
        version(from - index),
      );
      const last = from - items.length;
      const nextCursor = last > 0 ? { nextCursor: String(last) } : {};
      return route.fulfill({ json: { items, ...nextCursor } });
    });
    await goTo('#/mappings/reports-reader');
    await button('Differences of version 72').waitFor();
    // What it changed is not known before the one before it is there.
    expect(await button('Differences of version 71').count()).toBe(0);
    await button('Show older versions').click();
    await button('Differences of version 71').click();
    await seen.page.getByText('"the words of 70"').waitFor();
    await button('Show older versions').click();
    await button('Back to version 2 …').waitFor();
    await button('Differences of version 1').waitFor();
    expect(await button('Show older versions').count()).toBe(0);
  });

  it('that does not exist says so', async () => {
    await goTo('#/mappings/nothing-here');
    await seen.page.getByText('mapping_not_found').waitFor();
  });
});

describe('an edit', () => {
  it('is checked while it is written, and says who gains and who loses', async () => {
    await goTo('#/edit/to-edit');
    await seen.page.getByLabel('Role', { exact: true }).fill('not an ARN');
    await seen.page.getByText('must be the ARN of one IAM role').waitFor();
    expect(await button('Save').count()).toBe(0);
    await seen.page
      .getByLabel('Role', { exact: true })
      .fill('arn:aws:iam::123456789012:role/broker/other');
    await seen.page.getByText('The broker would take it.').waitFor();
    await seen.page
      .getByText(/3stranger0example0client0i.* loses .*role\/broker\/to-edit$/)
      .waitFor();
    await seen.page
      .getByText(/3stranger0example0client0i.* gains .*role\/broker\/other$/)
      .waitFor();
    expect(await current('to-edit')).toMatchObject({ description: 'as it was' });
  });

  it('by form is saved with its reason, whatever language that is in', async () => {
    await goTo('#/edit/to-edit');
    await seen.page.getByLabel('Description').fill('grün, 緑, <b>green</b>');
    await seen.page.getByText('The broker would take it.').waitFor();
    await seen.page.getByLabel('Why').fill('für Ömer ✓');
    await button('Save').click();
    await heading('to-edit').waitFor();
    expect(await current('to-edit')).toMatchObject({ description: 'grün, 緑, <b>green</b>' });
    expect((await seen.broker.table.get('to-edit'))?.reason).toBe('für Ömer ✓');
  });

  it('as JSON makes a new mapping', async () => {
    await goTo('#/new');
    await seen.page.getByLabel('as JSON').check();
    const document = allow('made-here', 'stranger', { session: { policyArns: [] } });
    await seen.page.getByLabel('Document').fill('{ "id": ');
    await seen.page.getByText('This is no JSON object').waitFor();
    await seen.page.getByLabel('Document').fill(JSON.stringify(document));
    await seen.page.getByText('The broker would take it.').waitFor();
    await seen.page.getByLabel('Why').fill('made in the console');
    await button('Save').click();
    await heading('made-here').waitFor();
    expect(await current('made-here')).toMatchObject({ id: 'made-here' });
  });

  it.each([
    '[]',
    'null',
    '"x"',
    '{"session":1}',
    '{"session":{"policyArns":"x"}}',
    '{"principal":7}',
  ])('of %s shows what is wrong, and the page goes on', async (text) => {
    await goTo('#/new');
    await seen.page.getByLabel('as JSON').check();
    await seen.page.getByLabel('Document').fill(text);
    await seen.page.getByRole('alert').waitFor();
    await seen.page.getByLabel('by form').check();
    await heading('Check').waitFor();
  });

  it('that somebody else was faster with shows both, and overwrites nothing unseen', async () => {
    await goTo('#/edit/contested');
    await seen.page.getByLabel('Description').fill('mine');
    await seen.page.getByText('The broker would take it.').waitFor();
    await seen.broker.putMapping(allow('contested', 'stranger', { description: 'theirs' }));
    await seen.page.getByLabel('Why').fill('I was here first');
    await button('Save').click();
    await seen.page.getByText('Somebody else has changed it').waitFor();
    await seen.page.getByText('What they changed since it was read here').waitFor();
    await seen.page.getByText('"theirs"').waitFor();
    expect(await current('contested')).toMatchObject({ description: 'theirs' });

    await button('Keep what was written here, in the place of theirs').click();
    await seen.page.getByText('The broker would take it.').waitFor();
    await seen.page.getByText('"theirs"').waitFor();
    await seen.page.getByLabel('Why').fill('we talked about it');
    await button('Save').click();
    await heading('contested').waitFor();
    expect(await current('contested')).toMatchObject({ description: 'mine' });
  });
});
