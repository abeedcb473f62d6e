import { afterAll, describe, expect, it } from '@jest/globals';
import { mappingsTest } from '../../src/cli/mappings-test.ts';
import { claimRef } from '../support/domain.ts';
import { captured, mappingText, pool, rules, temporaryFolders } from '../support/mapping-folder.ts';

const folders = temporaryFolders();
afterAll(() => folders.remove());

const mappings = [
  mappingText('a', 'conditions: { scopes: [a/write], expiresAt: 2026-06-01T00:00:00Z }'),
  `id: own
principal: { pool: ${pool}, group: customers }
effect: allow
role: arn:aws:iam::123456789012:role/broker/own
session:
  name: "{client}"
  policy:
    Version: "2012-10-17"
    Statement: { Effect: Allow, Action: s3:GetObject, Resource: "arn:aws:s3:::x/${claimRef('sub')}" }
owner: payments`,
  `id: team
principal: { pool: ${pool}, client: client-a }
effect: allow
role: arn:aws:iam::123456789012:role/broker/team
conditions: { claims: { custom:team: [blue] }, sourceCidrs: [10.0.0.0/8] }
owner: payments`,
].join('\n---\n');

const run = (tests: string, json = false) => {
  const directory = folders.folder({ 'all.yaml': mappings, 'x.test.yaml': tests });
  return captured((output) => mappingsTest({ directory, rules, json, output }));
};

const client = `{ pool: ${pool}, client: client-a, scopes: [a/write] }`;
const customer = `{ pool: ${pool}, client: app, user: u-1, groups: [customers] }`;

describe('mappings test', () => {
  it('T264: prints nothing that acts on a terminal, as JSON or not', async () => {
    const name = JSON.stringify('\u001b[2J\u009b2J\u202egnp\u2028');
    for (const json of [true, false]) {
      const tests = [
        `tests:\n  - name: ${name}\n    caller: ${client}\n    expect: { decision: allow, mapping: own }\n`,
        `tests:\n  - ${name}: 1\n`,
      ];
      for (const text of tests) {
        const { code, out, err } = await run(text, json);
        const lines = (out + err).split('\n');
        expect([code, lines.filter((line) => /[\p{Cc}\p{Cf}\p{Zl}]/u.test(line))]).toEqual([1, []]);
      }
    }
  });

  it('passes when everything is decided as expected', async () => {
    const ran = await run(`now: 2026-01-01T00:00:00Z
tests:
  - name: the service writes
    caller: ${client}
    request: { role: a, durationSeconds: 900 }
    expect:
      decision: allow
      mapping: a
      role: arn:aws:iam::123456789012:role/broker/a
      durationSeconds: 900
      sessionName: client-a
  - name: not after the end
    now: 2026-06-01T00:00:00Z
    caller: ${client}
    request: { role: a }
    expect: { decision: deny, reason: mapping_expired, mapping: a }
  - name: customers see their own folder
    caller: ${customer}
    expect:
      decision: allow
      mapping: own
      policy:
        Version: "2012-10-17"
        Statement: { Resource: "arn:aws:s3:::x/u-1", Effect: Allow, Action: s3:GetObject }
  - name: strangers get nothing
    caller: { pool: ${pool}, client: stranger }
    expect: { decision: deny, reason: no_mapping }
  - name: two roles are allowed, so one must be named
    caller: { pool: ${pool}, client: client-a, scopes: [a/write], claims: { custom:team: blue } }
    request: { sourceIp: 10.1.2.3 }
    expect: { decision: ambiguous, choices: [a, team] }
  - name: not for two hours
    caller: ${client}
    request: { role: a, durationSeconds: 7200 }
    expect: { decision: duration_not_allowed, mapping: a }
`);
    expect(ran).toEqual({ code: 0, out: '6 passed\n', err: '' });
  });

  it('says what was expected, what came out, and which condition kept a mapping away', async () => {
    const { code, out } = await run(`now: 2026-01-01T00:00:00Z
tests:
  - name: fine
    caller: ${client}
    request: { role: a }
    expect: { decision: allow }
  - name: without the scope
    caller: { pool: ${pool}, client: client-a, scopes: [a/read] }
    request: { role: a }
    expect: { decision: allow, mapping: a }
`);
    expect(code).toBe(1);
    expect(out.replace(/\/\S*\/x\.test/, 'x.test')).toBe(`FAILED x.test.yaml:7:5: without the scope
  expect.decision: expected "allow", got "deny"
  a does not apply: conditions.scopes wants ["a/write"], is ["a/read"]
1 passed, 1 FAILED
`);
  });

  it('says the same as JSON', async () => {
    const { code, out } = await run(
      `tests:
  - name: longer
    now: 2026-01-01T00:00:00Z
    caller: ${customer}
    expect: { decision: allow, durationSeconds: 900, policy: { Version: "2008-10-17" } }
`,
      true,
    );
    expect(code).toBe(1);
    const { passed, failed, tests } = JSON.parse(out);
    expect([passed, failed]).toEqual([0, 1]);
    expect(tests[0]).toMatchObject({ name: 'longer', line: 2, passed: false });
    expect(tests[0].mismatches).toMatchObject([
      { pointer: '/expect/durationSeconds', expected: 900, actual: 3600 },
      { pointer: '/expect/policy/Version', expected: '2008-10-17', actual: '2012-10-17' },
      { pointer: '/expect/policy/Statement' },
    ]);
  });

  it('tests everything that a deny takes away', async () => {
    const directory = folders.folder({
      'a.yaml': mappingText('a'),
      'stop.yaml': `id: stop
principal: { pool: "*", any: true }
effect: deny
role: "*"
owner: incident`,
      'x.test.yaml': `tests:
  - name: nobody gets anything
    caller: ${client}
    expect: { decision: deny, reason: explicit_deny, mapping: stop }
`,
    });
    const ran = await captured((output) => mappingsTest({ directory, rules, json: false, output }));
    expect(ran).toMatchObject({ code: 0, out: '1 passed\n' });
  });

  it('fails a test whose caller cannot exist', async () => {
    const { code, out } = await run(`tests:
  - name: made up
    caller: { pool: ${pool}, client: c, claims: { username: x } }
    expect: { decision: deny }
`);
    expect(code).toBe(1);
    expect(out).toContain(
      'caller.claims: has a claim that configuration does not let mappings use',
    );
  });

  it('fails when there is no test: nobody looked', async () => {
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    const ran = await captured((output) => mappingsTest({ directory, rules, json: false, output }));
    expect(ran).toMatchObject({ code: 1, err: expect.stringContaining('holds no test') });
  });

  it('runs nothing while a mapping or a test has a fault', async () => {
    for (const tests of [
      'tests: []',
      'tests:\n  - name: x',
      `tests:\n  - name: x\n    caller: ${client}\n    expect: { decision: deny, colour: red }`,
      `now: yesterday\ntests:\n  - name: x\n    caller: ${client}\n    expect: { decision: deny }`,
      `now: 2026-02-30T00:00:00Z\ntests:\n  - name: x\n    caller: ${client}\n    expect: { decision: deny }`,
    ]) {
      const { code, out, err } = await run(tests);
      expect([tests, code, out]).toEqual([tests, 1, '']);
      expect(err).toMatch(/x\.test\.yaml:\d+:\d+: \//);
    }
  });
});
