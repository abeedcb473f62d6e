/** Why somebody is denied, and the kill switch, in the console. */

import { describe, expect, it } from '@jest/globals';
import { consoleTab } from '../support/console-tab.ts';
import { clients, pool, roleNamed } from '../support/outside-world.ts';

const seen = consoleTab();
const { link } = seen;
const button = (name: string) => seen.page.getByRole('button', { name, exact: true });
const field = (label: string) => seen.page.getByLabel(label, { exact: true });

describe('explain', () => {
  it('shows which condition failed, with what it expects and what is there', async () => {
    await link('Explain').click();
    await field('Pool').fill(pool);
    await field('App client').fill(clients.orders.clientId);
    await field('Scopes').fill('orders/read other');
    await field('Role').fill('orders-writer');
    await button('Explain').click();
    const row = seen.page.getByRole('row', { name: '/conditions/scopes' });
    await row.waitFor();
    const cells = await row.getByRole('cell').allTextContents();
    expect(cells.map((cell) => JSON.parse(cell))).toEqual([
      ['orders/write'],
      ['orders/read', 'other'],
    ]);
    await seen.page.getByText('Denied').waitFor();
  });

  it('shows what STS would be sent for the caller of a token, which goes to the broker alone', async () => {
    const token = seen.broker.token('orders');
    await link('Explain').click();
    await field('The caller is').selectOption('token');
    await field('Token').fill(`Bearer ${token}\n`);
    await button('Explain').click();
    await seen.page.getByText('Allowed', { exact: true }).waitFor();
    await seen.page.getByText(`"roleArn": "${roleNamed('orders-writer')}"`).waitFor();
    const explained = seen.broker.auditRecords().filter(({ type }) => type === 'explain');
    expect(explained.at(-1)).toMatchObject({ outcome: 'allow' });
    expect(seen.tab.addresses.join('\n')).not.toContain(token.split('.')[2]);
  });

  it.each([
    [
      'for want of a mapping leads to a new one, with the names filled in',
      'stranger',
      'orders-writer',
    ],
    ['of the token says that no mapping mends it', 'legacy', 'legacy-reader'],
  ] as const)('of a refusal %s', async (_what, name, id) => {
    const { requestId } = await seen.broker.issue(name, { role: roleNamed(id) });
    await link('Explain').click();
    await field('The caller is').selectOption('request');
    await field('Request id').fill(requestId ?? '');
    await button('Explain').click();
    if (name === 'legacy') {
      await seen.page
        .getByText('It was not for want of a mapping')
        .getByText('token_audience_missing')
        .waitFor();
      return;
    }
    // Somebody else's mapping of that role comes near; of a role that nobody has, none does.
    await seen.page.getByRole('row', { name: '/principal' }).waitFor();
    const other = await seen.broker.issue(name, { role: roleNamed('of-nobody') });
    await field('Request id').fill(other.requestId ?? '');
    await button('Explain').click();
    await seen.page.getByRole('link', { name: 'Write one for this caller' }).click();
    await seen.page.getByText('mapping_invalid').waitFor();
    expect(await field('Pool').inputValue()).toBe(pool);
    expect(await field('Name').inputValue()).toBe(clients.stranger.clientId);
    expect(await field('Role').inputValue()).toBe(roleNamed('of-nobody'));
  });

  it('of a request that a freeze denied names the freeze, and no way around it', async () => {
    const principal = { pool, client: clients.orders.clientId };
    const { body: frozen } = await seen.broker.call({
      ...{
        listener: 'admin',
        token: seen.broker.token('admin'),
        method: 'POST',
        path: '/v1/freezes',
      },
      headers: { 'change-reason': 'for a test' },
      body: { principal, role: '*' },
    });
    const { requestId, status } = await seen.broker.issue('orders');
    expect(status).toBe(403);
    await seen.page.evaluate(`location.hash = '#/explain?requestId=${requestId}'`);
    await seen.page.getByText('denied: explicit deny').waitFor();
    await seen.page.getByRole('link', { name: frozen.id }).waitFor();
    expect(await seen.page.getByRole('link', { name: /^(?:Write one|Edit )/ }).count()).toBe(0);
    await seen.broker.call({
      ...{ listener: 'admin', token: seen.broker.token('admin'), method: 'DELETE' },
      path: `/v1/freezes/${frozen.id}`,
      headers: { 'change-reason': 'the test is over' },
    });
  });

  it('of a request that nobody remembers says where else to look', async () => {
    await seen.page.evaluate("location.hash = '#/explain?requestId=nothing'");
    await seen.page.getByText('token-broker audit find --request-id').waitFor();
  });

  it('says why a token is no good', async () => {
    await link('Explain').click();
    await field('The caller is').selectOption('token');
    await field('Token').fill('eyJhbGciOiJub25lIn0.e30.');
    await button('Explain').click();
    await seen.page.getByText('Refused: token_').waitFor();
  });

  it('says what is wrong with a question', async () => {
    await link('Explain').click();
    await field('Pool').fill('nowhere');
    await button('Explain').click();
    await seen.page.getByText('body_invalid').waitFor();
  });
});

describe('freeze', () => {
  it('T173: takes a look at what it takes away, a reason, and the name typed once more', async () => {
    await link('Freeze').click();
    await seen.page.getByText('Nothing.').waitFor();
    await field('Pool').fill(pool);
    await field('Name').fill(clients.reports.clientId);
    await button('Show what it takes away').click();
    await seen.page.getByText('2 roles, by 2 mappings').waitFor();
    expect((await seen.broker.issue('reports', { role: 'reports-reader' })).status).toBe(200);

    const freeze = button('Freeze now');
    const confirm = field(`Type ${clients.reports.clientId} to confirm`);
    await field('Why').fill('INC-1: the secret was found');
    expect(await freeze.isDisabled()).toBe(true);
    await confirm.fill(clients.orders.clientId);
    expect(await freeze.isDisabled()).toBe(true);
    await confirm.fill(clients.reports.clientId);
    await freeze.click();
    await seen.page.getByRole('heading', { name: 'Frozen', exact: true }).waitFor();
    await seen.page.getByText('aws:TokenIssueTime').waitFor();
    expect((await seen.broker.issue('reports', { role: 'reports-reader' })).status).toBe(403);

    await button(`Lift the freeze of client ${clients.reports.clientId} of ${pool} …`).click();
    await field('Why').last().fill('the secret was changed');
    await button('Lift the freeze').click();
    await seen.page.getByText('Nothing.').waitFor();
    expect((await seen.broker.issue('reports', { role: 'reports-reader' })).status).toBe(200);
  });

  it('T173: of a name that holds nothing is warned of before it is made', async () => {
    await link('Freeze').click();
    await field('Pool').fill(pool);
    await field('Name').fill(clients.stranger.clientId);
    await button('Show what it takes away').click();
    await seen.page.getByText('Check the name').waitFor();
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
