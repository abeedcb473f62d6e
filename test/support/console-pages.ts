/** All pages of the console: what must hold on every page is held on these, and a test compares them with those that there are. */

import { clients, pool } from './outside-world.ts';

export interface ConsolePage {
  readonly hash: string;
  /** Whether it asks the admin API as soon as it is opened. */
  readonly asks: boolean;
  /** Whether it offers to try again; those that ask by themselves all the time do not. */
  readonly again: boolean;
  /** What it shows once it has what it asked for. */
  readonly ready: string | RegExp;
}

/** `proposal`: id of one that waits. By the name of the page in its address, `/…` where it goes on. */
export function consolePages(proposal: string): Readonly<Record<string, ConsolePage>> {
  const page = (hash: string, ready: string | RegExp, asks = true, again = asks): ConsolePage => ({
    ...{ hash, ready, asks, again },
  });
  const question = `pool=${pool}&client=${clients.orders.clientId}&role=orders-writer`;
  return {
    // Each of its parts is tried again by itself.
    '': page('#/', 'Policy revision', true, false),
    mappings: page('#/mappings', /^\d+ of \d+ mappings$/),
    'mappings/…': page('#/mappings/orders-writer', 'Version 1'),
    new: page('#/new', 'mapping_invalid', false),
    edit: page('#/edit/orders-writer', 'The broker would take it.'),
    approvals: page('#/approvals', 'Waiting'),
    'approvals/…': page(`#/approvals/${proposal}`, 'What would be written'),
    explain: page(`#/explain?${question}`, 'Source address', false),
    decisions: page('#/decisions', /remembers \d+ decisions/, true, false),
    key: page('#/key', 'Access key id', false),
    freeze: page('#/freeze', /Takes away \d+ roles|^Nothing\.$/),
    // There is none of that name.
    nowhere: page('#/nowhere', 'There is no such page', false),
  };
}
