import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { AuditRecord } from '../../src/core/records/audit-record.ts';
import type { ExchangeRecord } from '../../src/core/records/exchange-record.ts';
import { exchangeRecord, logOf, newDirectory, removeDirectories } from '../audit/audit-fixture.ts';
import { checkTrail } from './trail-fixture.ts';

afterEach(removeDirectories);

const role = 'arn:aws:iam::123456789012:role/broker/orders-writer';
const provider =
  'arn:aws:iam::123456789012:oidc-provider/cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEf123';
const at = (time: string) => `2026-01-15T${time}.000Z`;
const issued = (id: string, time: string, changes: Partial<ExchangeRecord> = {}) => ({
  ...exchangeRecord(id, { time: at(time) }),
  ...changes,
});

/** What the User Guide shows of such an event, with the session token that CloudTrail has. */
function event(id: string, time: string, changes: Record<string, unknown> = {}) {
  return {
    eventVersion: '1.08',
    userIdentity: {
      type: 'WebIdentityUser',
      principalId: `${provider}:aud:4abc0exampleclientid`,
      userName: '4abc0exampleclientid',
      identityProvider: provider,
    },
    eventTime: at(time).replace('.000', ''),
    eventSource: 'sts.amazonaws.com',
    eventName: 'AssumeRoleWithWebIdentity',
    awsRegion: 'us-east-1',
    sourceIPAddress: '198.51.100.7',
    userAgent: 'aws-sdk-js/3',
    requestParameters: {
      roleArn: role,
      roleSessionName: '4abc0exampleclientid',
      durationSeconds: 3600,
    },
    responseElements: {
      credentials: {
        accessKeyId: `ASIA${id}`,
        sessionToken: 'THE-SESSION-TOKEN',
        expiration: 'Jan 15, 2026, 1:46:56 PM',
      },
      provider,
      audience: 'aud',
      subjectFromWebIdentityToken: '4abc0exampleclientid',
    },
    requestID: 'c0ffee00-1234-4123-8123-123456789012',
    eventID: `event-${id}`,
    eventType: 'AwsApiCall',
    recipientAccountId: '123456789012',
    ...changes,
  };
}

const anyCall = (time: string, accessKeyId = 'AKIAOTHER') => ({
  userIdentity: { type: 'AssumedRole', accessKeyId },
  eventTime: at(time).replace('.000', ''),
  eventSource: 'ec2.amazonaws.com',
  eventName: 'DescribeInstances',
  awsRegion: 'eu-west-1',
  recipientAccountId: '123456789012',
  eventID: `call-${time}`,
});

async function logs(...replicas: readonly (readonly AuditRecord[])[]): Promise<string> {
  const root = newDirectory();
  for (const [index, records] of replicas.entries()) {
    const directory = path.join(root, `pod-${index}`);
    mkdirSync(directory);
    await logOf(directory, Date.parse(at('09:00:00')), ...records);
  }
  return root;
}

/** As CloudTrail lays it out in a bucket. */
function trail(...records: readonly object[]): string {
  const root = newDirectory();
  const folder = path.join(root, 'AWSLogs/123456789012/CloudTrail/us-east-1/2026/01/15');
  mkdirSync(folder, { recursive: true });
  const name = '123456789012_CloudTrail_us-east-1_20260115T1300Z_abcdef.json.gz';
  writeFileSync(path.join(folder, name), gzipSync(JSON.stringify({ Records: records })));
  const digests = path.join(root, 'AWSLogs/123456789012/CloudTrail-Digest');
  mkdirSync(digests);
  writeFileSync(path.join(digests, 'digest.json.gz'), 'not for us');
  return root;
}

describe('cloudtrail check', () => {
  it('finds nothing where each session is on record, of whichever replica, and where roles are not ours', async () => {
    const audit = await logs(
      [issued('A', '10:00:00')],
      [issued('B', '11:00:00'), issued('Z', '20:00:00')],
    );
    const events = trail(
      event('B', '11:00:00'),
      event('A', '10:00:00'),
      event('A', '10:00:00'),
      event('X', '10:30:00', { requestParameters: { roleArn: `${role}-of-others` } }),
      event('R', '10:40:00', { errorCode: 'AccessDenied', responseElements: null }),
      anyCall('12:00:00'),
    );
    const { code, summary, found } = await checkTrail(audit, events);
    expect({ code, found }).toEqual({ code: 0, found: [] });
    expect(summary).toMatchObject({ events: 6, sessions: 3, joined: 2, managedRoles: 1 });
    expect(summary.watermarks['123456789012/eu-west-1']).toBe(at('12:00:00'));
  });

  it('T225: names a session of a managed role that no broker has recorded', async () => {
    const audit = await logs([issued('A', '10:00:00'), issued('Z', '20:00:00')]);
    const { code, found } = await checkTrail(
      audit,
      trail(event('A', '10:00:00'), event('X', '11:00:00')),
    );
    expect(code).toBe(2);
    expect(found).toMatchObject([
      { class: 'bypass', role, accessKeyId: 'ASIAX', event: { sourceIp: '198.51.100.7' } },
    ]);
    // IAM takes a name in other letters for the same.
    const shouted = event('Y', '11:00:00', {
      requestParameters: { roleArn: role.replace('orders-writer', 'Orders-Writer') },
    });
    expect((await checkTrail(audit, trail(event('A', '10:00:00'), shouted))).classes).toEqual([
      'bypass',
    ]);
  });

  it('T226: judges nothing that the logs do not reach yet, and says how much that is', async () => {
    const audit = await logs([issued('A', '10:00:00')]);
    const late = trail(event('A', '10:00:00'), event('X', '10:00:30'), event('Y', '08:00:00'));
    const waiting = await checkTrail(audit, late);
    expect(waiting).toMatchObject({ code: 0, summary: { unjudged: { events: 2 } } });
    const known = await checkTrail(audit, late, '--audit-until', '2026-01-15T12:00:00Z');
    expect(known).toMatchObject({
      code: 2,
      classes: ['bypass'],
      summary: { unjudged: { events: 1 } },
    });
  });

  it('names what came by another provider, or in another way', async () => {
    const audit = await logs([issued('A', '10:00:00'), issued('Z', '20:00:00')]);
    const foreign = event('X', '11:00:00', {
      userIdentity: { type: 'WebIdentityUser', identityProvider: `${provider}Other` },
    });
    const direct = event('Y', '11:00:00', { eventName: 'AssumeRole' });
    const { code, classes } = await checkTrail(
      audit,
      trail(event('A', '10:00:00'), foreign, direct),
    );
    expect({ code, classes }).toEqual({ code: 2, classes: ['other_provider', 'other_provider'] });
  });

  it('names what differs between record and trail, and a token of the broker that was not bound to its role', async () => {
    const webIdentity = { id: 'j', keyId: 'k', sha256: 'a'.repeat(64) };
    const bound = issued('A', '10:00:00', {
      credentials: {
        cached: false,
        accessKeyId: 'ASIAA',
        assumedRoleId: 'AROAEXAMPLE:4abc0exampleclientid',
        stsRequestId: 'c0ffee00-1234-4123-8123-123456789012',
        expiration: '2026-01-15T11:00:00Z',
        webIdentity,
      },
    });
    const audit = await logs([bound, issued('Z', '20:00:00')]);
    const altered = event('A', '10:00:00', {
      requestParameters: {
        roleArn: role,
        roleSessionName: '4abc0exampleclientid',
        durationSeconds: 43200,
        principalTags: { team: 'other' },
      },
    });
    const { classes, found } = await checkTrail(audit, trail(altered));
    expect(classes).toEqual(['unbound', 'altered']);
    expect(found[1].differences).toEqual({
      durationSeconds: [3600, 43200],
      tags: [null, '[["team","other"]]'],
    });
  });

  it('names sessions that are not in the trail once it must have them, and those that nobody used', async () => {
    const audit = await logs([
      issued('A', '10:00:00'),
      issued('B', '10:30:00'),
      issued('C', '14:30:00'),
    ]);
    const events = trail(
      anyCall('09:00:00'),
      event('A', '10:00:00'),
      event('D', '10:00:00', {
        requestParameters: { roleArn: 'arn:aws:iam::123456789012:role/x' },
      }),
      anyCall('15:00:00'),
    );
    const { classes, summary } = await checkTrail(audit, events);
    expect(classes).toEqual(['phantom']);
    expect(summary.unjudged.sessions).toBe(1);
    expect((await checkTrail(audit, events, '--unused')).classes).toEqual(['unused', 'phantom']);
  });

  it('T227: repeats no session token, and nothing that acts on a terminal', async () => {
    const audit = await logs([issued('A', '10:00:00'), issued('Z', '20:00:00')]);
    const hostile = event('X', '11:00:00', {
      userAgent: '\u001b[2J\u202eevil',
      requestParameters: { roleArn: role, roleSessionName: '\u202ename' },
    });
    const { code, out } = await checkTrail(audit, trail(hostile));
    expect(code).toBe(2);
    expect(out).not.toContain('THE-SESSION-TOKEN');
    expect(out).toMatch(/^[\x20-\x7e\n]*$/);
  });

  it('T228: does not judge by a log that was changed, or a trail that cannot be read', async () => {
    const audit = await logs([issued('A', '10:00:00'), issued('Z', '20:00:00')]);
    const file = path.join(audit, 'pod-0', 'audit.jsonl');
    const good = trail(event('A', '10:00:00'));
    expect((await checkTrail(audit, newDirectory())).code).toBe(1);
    const odd = trail();
    writeFileSync(path.join(odd, 'x.json'), '{"records":[]}');
    expect(await checkTrail(audit, odd)).toMatchObject({
      code: 1,
      err: expect.stringContaining('list of Records'),
    });
    const cut = trail();
    writeFileSync(path.join(cut, 'x.json.gz'), gzipSync('{"Records":[]}').subarray(0, 12));
    expect(await checkTrail(audit, cut)).toMatchObject({
      code: 1,
      err: expect.stringContaining('unpacked'),
    });
    expect((await checkTrail(newDirectory(), good)).code).toBe(1);
    writeFileSync(file, `${JSON.stringify(issued('X', '11:00:00'))}\n`, { flag: 'a' });
    const changed = await checkTrail(audit, good);
    expect(changed).toMatchObject({ code: 1, err: expect.stringContaining('audit verify') });
  });
});
