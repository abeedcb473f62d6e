import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { review } from '../../src/cli/review.ts';
import { defaultGuardrails } from '../../src/core/policy/guardrails.ts';
import type { AuditRecord } from '../../src/core/records/audit-record.ts';
import {
  exchangeRecord,
  logOf,
  mappingChange,
  newDirectory,
  removeDirectories,
} from '../audit/audit-fixture.ts';

afterEach(removeDirectories);

const now = Date.parse('2026-06-30T00:00:00Z');

async function logFrom(start: string, records: readonly AuditRecord[]): Promise<string> {
  const directory = newDirectory();
  await logOf(directory, Date.parse(start), ...records);
  return directory;
}

const used = (id: string, time: string, changes: Partial<AuditRecord> = {}) =>
  ({
    ...exchangeRecord(`${id}-${time}`, {
      time: `${time}T00:00:00.000Z`,
      mapping: { id, version: 1 },
    }),
    ...changes,
  }) as AuditRecord;

function mappingFolder(...ids: readonly string[]): string {
  const directory = path.join(newDirectory(), 'mappings');
  mkdirSync(directory);
  for (const id of ids) {
    const effect = id.startsWith('deny') ? 'deny' : 'allow';
    writeFileSync(
      path.join(directory, `${id}.yaml`),
      `id: ${id}\nprincipal: { pool: us-east-1_AbCdEf123, client: 4abc0exampleclientid }\neffect: ${effect}\nrole: arn:aws:iam::123456789012:role/broker/${id}\nowner: payments\n`,
    );
  }
  return directory;
}

interface RunOptions {
  readonly write?: string | undefined;
  readonly json?: boolean;
  readonly trail?: readonly string[];
}

async function run(audit: string, mappings: string, options: RunOptions = {}) {
  const { write, json = true, trail = [] } = options;
  const text = { out: '', err: '' };
  const output = {
    out: (part: string) => {
      text.out += part;
    },
    err: (part: string) => {
      text.err += part;
    },
  };
  const rules = {
    matchableClaims: new Set<string>(),
    guardrails: defaultGuardrails,
    pools: undefined,
  };
  const code = await review({
    audit: [audit],
    mappings,
    unused: '90d',
    write,
    propose: undefined,
    json,
    trail,
    rules,
    now,
    output,
  });
  return { code, ...text };
}

describe('review', () => {
  it('tells what is used from what is not, and says by whom and how often', async () => {
    const edit = { ...mappingChange(10), time: '2026-06-20T00:00:00.000Z', mappingId: 'new' };
    const denied = { outcome: 'denied', credentials: undefined } as Partial<AuditRecord>;
    const audit = await logFrom('2026-01-01T00:00:00Z', [
      used('busy', '2026-02-01'),
      used('stale', '2026-02-02'),
      used('stale', '2026-02-03', denied),
      used('busy', '2026-06-01', {
        token: { sha256: 'a', subject: 'alice' },
      } as Partial<AuditRecord>),
      edit,
    ]);
    const { code, out } = await run(
      audit,
      mappingFolder('busy', 'stale', 'never', 'new', 'deny-x'),
    );
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(code).toBe(2);
    expect(lines.map(({ mapping, verdict }) => [mapping, verdict])).toEqual([
      ['busy', 'used'],
      ['deny-x', 'not_in_force'],
      ['never', 'unused'],
      ['new', 'too_new'],
      ['stale', 'unused'],
    ]);
    expect(lines[0]).toMatchObject({ issued: 2, gone: [{ subject: '4abc0exampleclientid' }] });
    expect(lines[4]).toMatchObject({ issued: 1, refused: 1, first: '2026-02-02T00:00:00.000Z' });
  });

  it('writes the unused ones switched off, into a folder of its own', async () => {
    const audit = await logFrom('2026-01-01T00:00:00Z', [used('busy', '2026-06-01')]);
    const mappings = mappingFolder('busy', 'never');
    const write = path.join(newDirectory(), 'change');
    const { code, out } = await run(audit, mappings, { write, json: false });
    expect({ code, files: readdirSync(write) }).toEqual({ code: 2, files: ['never.yaml'] });
    expect(readFileSync(path.join(write, 'never.yaml'), 'utf8')).toContain('enabled: false');
    expect(out).toContain('To remove, not used within 90d: never.');
    // Never over what is there already.
    expect((await run(audit, mappings, { write, json: false })).code).toBe(1);
  });

  it('calls nothing unused by logs that do not reach back so far, or by none', async () => {
    const audit = await logFrom('2026-06-01T00:00:00Z', [used('busy', '2026-06-01')]);
    expect(await run(audit, mappingFolder('busy', 'never'))).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('The logs begin at 2026-06-01T00:00:00Z'),
    });
    expect((await run(newDirectory(), mappingFolder('never'))).code).toBe(1);
  });

  it('says of a folder whether it holds no log, or one that holds nothing', async () => {
    const folder = newDirectory();
    const none = await run(folder, mappingFolder('never'));
    expect(none).toMatchObject({ code: 1, out: '' });
    expect(none.err).toContain(
      `There is no audit log in ${folder}: neither there nor in a folder below`,
    );
    writeFileSync(path.join(folder, 'audit.jsonl'), '');
    const emptied = await run(folder, mappingFolder('never'));
    expect(emptied.err).toContain(`There is not a single record in the audit log of ${folder}`);
  });

  it('says of a trail which of the allowed actions were called, and does not guess where a part is missing', async () => {
    const audit = await logFrom('2026-01-01T00:00:00Z', [used('busy', '2026-06-01')]);
    const mappings = mappingFolder('busy');
    const policy =
      'session: { policy: { Version: "2012-10-17", Statement: [{ Effect: Allow, Action: ["dynamodb:PutItem", "dynamodb:Get*", "cloudwatch:PutMetricData", "sqs:SendMessage"], Resource: "*" }] } }';
    writeFileSync(path.join(mappings, 'busy.yaml'), `${policy}\n`, { flag: 'a' });
    const trail = newDirectory();
    const call = (eventSource: string, eventName: string, accessKeyId = 'ASIAbusy-2026-06-01') => ({
      eventSource,
      eventName,
      userIdentity: { accessKeyId },
    });
    const calls = [
      call('dynamodb.amazonaws.com', 'PutItem'),
      call('dynamodb.amazonaws.com', 'GetItem'),
      call('monitoring.amazonaws.com', 'PutMetricData'),
      call('sqs.amazonaws.com', 'SendMessage', 'ASIAOTHER'),
      call('ec2.amazonaws.com', '\u001b[2J'),
    ];
    writeFileSync(path.join(trail, 'a.json'), JSON.stringify({ Records: calls }));
    const { code, out } = await run(audit, mappings, { trail: [trail] });
    expect({ code, actions: JSON.parse(out).actions }).toEqual({
      code: 0,
      actions: {
        called: [
          'cloudwatch:PutMetricData',
          'dynamodb:GetItem',
          'dynamodb:PutItem',
          'ec2:\u001b[2J',
        ],
        notSeen: ['sqs:SendMessage'],
      },
    });
    const text = (await run(audit, mappings, { trail: [trail], json: false })).out;
    expect(text).toContain('allowed, and not in the trail: sqs:SendMessage');
    expect(text).toMatch(/^[\x20-\x7e\n]*$/);
    writeFileSync(path.join(trail, 'b.json'), '{');
    expect((await run(audit, mappings, { trail: [trail] })).code).toBe(1);
  });
});
