/** What the tokens of the broker say, and when they are sent. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BrokerError } from '../../src/core/errors.ts';
import type { AuditRecord } from '../../src/core/records/audit-record.ts';
import type { SessionPlan } from '../../src/core/session/session.ts';
import { EphemeralTokenSigner } from '../../src/web-identity/ephemeral-token-signer.ts';
import { TokenIssuer } from '../../src/web-identity/token-issuer.ts';
import {
  type WebIdentityExchange,
  WebIdentityForms,
} from '../../src/web-identity/web-identity-forms.ts';
import { ask, caller, claimRef, mapping } from '../support/domain.ts';
import { runs } from '../support/fuzz-budget.ts';
import { planned } from '../support/session-plans.ts';
import { createTestClock } from '../support/test-clock.ts';

const terms = {
  issuer: 'https://identity.example.com',
  audience: 'sts.amazonaws.com',
  lifetimeSeconds: 60,
};
const clock = createTestClock(Date.UTC(2026, 0, 15, 12));
let tokens: TokenIssuer;
beforeAll(async () => {
  const signers = { current: new EphemeralTokenSigner() };
  tokens = new TokenIssuer({ terms, signers, clock, timeoutMs: 5_000, maxInFlight: 100 });
  await tokens.start();
});
afterAll(() => tokens.stop());

function partsOf(token: string) {
  const [header, claims] = token
    .split('.', 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));
  return { header, claims };
}

describe('a token of the broker', () => {
  it('has a minute, one role, and names that lead from the record to it', async () => {
    const { plan } = planned();
    const issued = await tokens.issue(plan);
    const { header, claims } = partsOf(issued.token);
    const seconds = clock.now() / 1000;
    expect(header).toEqual({ alg: 'RS256', kid: tokens.published[0]?.kid, typ: 'JWT' });
    expect(claims).toEqual({
      iss: terms.issuer,
      aud: terms.audience,
      sub: 'us-east-1_AbCdEf123/client/4abc0exampleclientid',
      iat: seconds,
      exp: seconds + 60,
      jti: issued.id,
      'https://aws.amazon.com/roles': [plan.roleArn],
    });
    expect(issued).toMatchObject({ keyId: header.kid, subject: claims.sub });
  });

  it('names the same caller always, and others by others', async () => {
    const subjects = await Promise.all(
      [
        { machine: true, subject: 'one' },
        { machine: false, subject: 'one' },
        { machine: false, subject: 'client/one' },
        { machine: false, tokenUse: 'openid', subject: 'one' },
        { machine: false, subject: 'one', pool: 'eu-west-1_Other' },
      ].map(
        async (parts) => (await tokens.issue(planned({ caller: parts as never }).plan)).subject,
      ),
    );
    expect(new Set(subjects).size).toBe(subjects.length);
    const again = planned({ caller: { machine: true, subject: 'one', clientId: 'two' } });
    expect((await tokens.issue(again.plan)).subject).toBe(subjects[0]);
  });

  it.each(['ä', 'a b', '\n', 'x'.repeat(300)])('is refused to the subject %j', async (subject) => {
    const { plan } = planned({ caller: { subject } });
    await expect(tokens.issue(plan)).rejects.toMatchObject({ code: 'token_claims_invalid' });
  });

  it('says what was decided, whatever the caller brings (T144)', async () => {
    const names = fc.constantFrom(
      'iss',
      'aud',
      'sub',
      'azp',
      'exp',
      'custom:team',
      'https://aws.amazon.com/roles',
      'https://aws.amazon.com/tags',
      'https://aws.amazon.com/source_identity',
      '__proto__',
    );
    const role = 'arn:aws:iam::123456789012:role/broker/orders';
    const value = fc.oneof(fc.string(), fc.constantFrom(role, 'a', claimRef('sub')));
    const policy = [
      mapping('orders', {
        role,
        session: { identity: 'broker', tags: { team: claimRef('custom:team'), tenant: 'acme' } },
      }),
    ];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(names, value)), async (claims) => {
        const by = caller({ claims: Object.fromEntries(claims) });
        const decision = ask({ policy, by });
        if (decision.kind !== 'allow') return;
        const said = partsOf((await tokens.issue(decision.session)).token).claims;
        expect(said).toMatchObject({
          iss: terms.issuer,
          aud: terms.audience,
          sub: `${by.pool}/user/${by.subject}`,
          'https://aws.amazon.com/roles': [role],
          'https://aws.amazon.com/tags': {
            principal_tags: { team: [by.claims.get('custom:team')], tenant: ['acme'] },
          },
        });
        expect(Object.keys(said)).toHaveLength(8);
      }),
      runs(500),
    );
  });
});

describe('an exchange with the identity of the broker', () => {
  const { plan, token } = planned({ identity: 'broker' });

  function forms(parts: { readonly tokens?: TokenIssuer; readonly record?: () => Promise<void> }) {
    const sent: string[] = [];
    const records: AuditRecord[] = [];
    const sts: WebIdentityExchange = {
      issue(_request, shown) {
        sent.push(shown);
        return Promise.reject(new BrokerError('sts_unavailable'));
      },
    };
    const audit = {
      record(record: AuditRecord) {
        records.push(record);
        expect(sent).toEqual([]);
        return parts.record?.() ?? Promise.resolve();
      },
    };
    const issuer = new WebIdentityForms({
      sts,
      byDefault: 'caller',
      tokens: parts.tokens,
      audit,
      clock,
    });
    const issue = (one: SessionPlan) => issuer.issue(one, token);
    return { sent, records, issue };
  }

  it('shows STS no token at all where the broker has no key (T143)', async () => {
    const { sent, issue } = forms({});
    await expect(issue(plan)).rejects.toMatchObject({ reason: 'web_identity_not_configured' });
    expect(sent).toEqual([]);
  });

  it('is sent to STS unless it is on record: never before, and not where that fails (T147)', async () => {
    const record = () => Promise.reject(new BrokerError('audit_unavailable'));
    const failing = forms({ tokens, record });
    await expect(failing.issue(plan)).rejects.toMatchObject({ code: 'audit_unavailable' });
    expect(failing.sent).toEqual([]);
    const working = forms({ tokens });
    await expect(working.issue(plan)).rejects.toMatchObject({ code: 'sts_unavailable' });
    expect(working.sent).toHaveLength(1);
    expect(working.sent).not.toContain(token);
    expect(JSON.stringify(working.records)).not.toContain(working.sent[0]?.split('.')[2]);
  });

  it('is the own token of the caller where the mapping says so', async () => {
    const { sent, records, issue } = forms({ tokens });
    await expect(issue(planned({ identity: 'caller' }).plan)).rejects.toThrow();
    expect(sent).toEqual([token]);
    expect(records).toEqual([]);
  });
});
