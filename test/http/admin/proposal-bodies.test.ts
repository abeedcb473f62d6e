/** Whatever is sent to decide on a proposal: it is refused in the service's own words, and changes nothing. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { noApproval } from '../../../src/core/policy/approval.ts';
import {
  type AdminHarness,
  readScope,
  startAdmin,
  testMapping,
  writeScope,
} from '../../support/admin-harness.ts';
import { isLongForm, runs } from '../../support/fuzz-budget.ts';

let admin: AdminHarness;
let proposal: { readonly id: string; readonly sha256: string };
let before: unknown;

beforeAll(async () => {
  admin = await startAdmin({
    guardrails: { approval: { ...noApproval, when: 'widens' } },
    access: { groups: new Set(['customers']) },
  });
  const { body } = await admin.send('PUT', '/v1/role-mappings/waiting', {
    token: admin.token({ user: 'ada', scopes: [writeScope] }),
    headers: { 'if-none-match': '*', 'change-reason': 'ticket 7' },
    body: testMapping('waiting'),
  });
  proposal = body.proposal;
  before = await admin.table.proposals.get(proposal.id);
});
afterAll(() => admin.stop());

const bounded = { ...runs(300), ...(isLongForm ? {} : { interruptAfterTimeLimit: 2_000 }) };
const how = fc.constantFrom('approve' as const, 'reject' as const, 'withdraw' as const);

/** What stands in a sound body, and what is near to it. */
const near = fc.record(
  {
    sha256: fc.oneof(
      fc.constant('of the proposal'),
      fc.constant('OF THE PROPOSAL'),
      fc.string({ minLength: 64, maxLength: 64, unit: fc.constantFrom(...'0123456789abcdef') }),
      fc.jsonValue(),
    ),
    reason: fc.oneof(fc.string({ unit: 'binary', maxLength: 600 }), fc.jsonValue()),
    override: fc.jsonValue(),
    approvals: fc.integer(),
  },
  { requiredKeys: [] },
);
const body = fc.oneof(
  near.map((fields) => JSON.stringify(fields)),
  fc.jsonValue({ maxDepth: 6 }).map((value) => JSON.stringify(value)),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ maxLength: 40 }).map((text) => `{"reason":"x",${text}`),
);

/** Whatever a decision on it says, that is not one. */
function isPlainlyWrong(name: 'approve' | 'reject' | 'withdraw', text: string): boolean {
  const value = parsed(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return true;
  const { sha256, reason, ...others } = value as Readonly<Record<string, unknown>>;
  if (Object.keys(others).length > 0 || typeof reason !== 'string' || reason === '') return true;
  if (name !== 'approve') return sha256 !== undefined;
  return typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

describe('a decision on a proposal', () => {
  it('that nobody may make is refused, whatever its body is: no body gives a 5xx or changes anything (T246)', async () => {
    const head = await admin.table.head();
    // The author approves nothing, and others withdraw nothing: so no body at all may succeed.
    const tokens = {
      approve: admin.token({ user: 'ada', scopes: [readScope, writeScope] }),
      reject: admin.token({ user: 'ada', scopes: [readScope, writeScope] }),
      withdraw: admin.token({ user: 'cleo', scopes: [readScope, writeScope] }),
    };
    const property = fc.asyncProperty(how, body, async (name, text) => {
      const sent = text
        .replaceAll('"of the proposal"', JSON.stringify(proposal.sha256))
        .replaceAll('"OF THE PROPOSAL"', JSON.stringify(proposal.sha256.toUpperCase()));
      const path = `/v1/proposals/${proposal.id}/${name}`;
      const answer = await admin.send('POST', path, { token: tokens[name], body: sent });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      const codes = isPlainlyWrong(name, sent) ? /^body_/ : /^(?:body_\w+|approver_refused)$/;
      expect(answer.body.code).toMatch(codes);
    });
    await fc.assert(property, bounded);
    expect(await admin.table.head()).toBe(head);
    expect(await admin.table.proposals.get(proposal.id)).toEqual(before);
  });
});
