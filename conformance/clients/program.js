/** What the programs are given, and what they must print: one line of JSON. */

import assert from 'node:assert/strict';
import { run } from '../commands.js';

/** A role mapping of a later broker: an edit by a client of today must not drop what it does not know. */
const futureMapping = {
  id: 'orders-writer',
  description: '',
  principal: { pool: 'us-east-1_Local0001', client: '1orders0example0client0id0' },
  effect: 'allow',
  role: 'arn:aws:iam::123456789012:role/broker/orders-writer',
  conditions: { scopes: ['orders/write'], someLaterCondition: ['one'] },
  session: {
    durationSeconds: 900,
    maxDurationSeconds: 900,
    name: '{sub}',
    policyArns: [],
    someLaterLimit: 1,
  },
  precedence: 100,
  owner: 'payments-platform',
  managedBy: 'api',
  enabled: true,
  someLaterMember: { deep: true },
};

/** Runs the program against the stack; `language` marks its edit of a role mapping. */
export async function checkProgram({ command, args, cwd, stack, language, say }) {
  say('running the program against the local stack');
  const reason = `edited from ${language}`;
  const [orders, reports, stranger, admin] = await Promise.all(
    ['orders', 'reports', 'stranger', 'admin'].map((name) => stack.token(name)),
  );
  const printed = await run(command, args, {
    cwd,
    env: {
      BROKER_URL: stack.urls.broker,
      BROKER_ADMIN_URL: stack.urls.admin,
      ORDERS_TOKEN: orders,
      REPORTS_TOKEN: reports,
      STRANGER_TOKEN: stranger,
      ADMIN_TOKEN: admin,
      CHANGE_REASON: reason,
      FUTURE_MAPPING: JSON.stringify(futureMapping),
    },
    timeoutMs: 120_000,
  });
  const last = printed.trim().split('\n').at(-1);
  const account = 'arn:aws:iam::123456789012:role/broker/';
  const { version, ...result } = JSON.parse(last);
  assert.deepEqual(result, {
    exchange: { role: `${account}orders-writer`, sameRole: true, lasts: true },
    denied: { status: 403, code: 'access_denied', requestId: true },
    ambiguous: {
      status: 400,
      code: 'role_ambiguous',
      choices: ['reports-publisher', 'reports-reader'],
    },
    edit: { etag: `"${version}"`, description: reason, expiresAt: '2099-12-31T00:00:00Z' },
    stale: { status: 412, code: 'precondition_failed' },
    kept: futureMapping,
  });
}
