/** Records in the shapes that AWS documents and that are in public collections, with values of our own. */

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exchangeRecord, logOf, newDirectory, removeDirectories } from '../audit/audit-fixture.ts';
import { checkTrail } from './trail-fixture.ts';

afterAll(removeDirectories);

const managed = 'arn:aws:iam::123456789012:role/broker/orders-writer';
const somewhere = {
  eventTime: '2026-01-15T11:00:00Z',
  awsRegion: 'eu-central-1',
  recipientAccountId: '123456789012',
};

/** Everything that a trail has beside sessions of the brokers: none of it is a finding, and each is one event. */
const shapes: readonly (readonly [what: string, record: object])[] = [
  ['nothing but an object', {}],
  ['a version that is not there yet', { ...somewhere, eventVersion: '2.40', novelty: { a: [1] } }],
  [
    'a service that assumes a role of its own, as EC2 does for an instance profile',
    {
      ...somewhere,
      eventVersion: '1.08',
      userIdentity: { type: 'AWSService', invokedBy: 'ec2.amazonaws.com' },
      eventSource: 'sts.amazonaws.com',
      eventName: 'AssumeRole',
      requestParameters: { roleArn: 'arn:aws:iam::123456789012:role/instances' },
      responseElements: { credentials: { accessKeyId: 'ASIAINSTANCE', sessionToken: 'X' } },
      sharedEventID: 'a',
    },
  ],
  [
    'a person who signs in to the console',
    {
      ...somewhere,
      userIdentity: { type: 'Root', arn: 'arn:aws:iam::123456789012:root', accessKeyId: '' },
      eventSource: 'signin.amazonaws.com',
      eventName: 'ConsoleLogin',
      requestParameters: null,
      responseElements: { ConsoleLogin: 'Success' },
      additionalEventData: { MFAUsed: 'Yes', MobileVersion: 'No' },
      eventType: 'AwsConsoleSignIn',
    },
  ],
  [
    'an event of a service that nobody called',
    {
      ...somewhere,
      userIdentity: { accountId: '123456789012', invokedBy: 'AWS Internal' },
      eventSource: 'kms.amazonaws.com',
      eventName: 'RotateKey',
      eventType: 'AwsServiceEvent',
      serviceEventDetails: { keyId: 'k' },
      resources: [
        { ARN: 'arn:aws:kms:eu-central-1:123456789012:key/k', accountId: '123456789012' },
      ],
    },
  ],
  [
    'a call that was refused, with parameters as a text',
    {
      ...somewhere,
      userIdentity: { type: 'AssumedRole', accessKeyId: 'ASIAOTHER', sessionContext: {} },
      eventSource: 'dynamodb.amazonaws.com',
      eventName: 'PutItem',
      errorCode: 'AccessDenied',
      errorMessage: 'An unknown error occurred',
      requestParameters: 'omitted',
      responseElements: null,
      readOnly: false,
    },
  ],
  [
    'a web identity that STS refused',
    {
      ...somewhere,
      userIdentity: { type: 'WebIdentityUser', userName: 'x', identityProvider: 'p' },
      eventSource: 'sts.amazonaws.com',
      eventName: 'AssumeRoleWithWebIdentity',
      errorCode: 'AccessDenied',
      errorMessage: 'An unknown error occurred',
      requestParameters: { roleArn: managed, roleSessionName: 'x' },
      responseElements: null,
    },
  ],
  [
    'an access to an object, from a VPC endpoint',
    {
      ...somewhere,
      userIdentity: { type: 'AWSAccount', principalId: '', accountId: 'ANONYMOUS_PRINCIPAL' },
      eventSource: 's3.amazonaws.com',
      eventName: 'GetObject',
      requestParameters: { bucketName: 'b', key: 'eventName', Host: 'b.s3.amazonaws.com' },
      additionalEventData: { bytesTransferredOut: 224, 'x-amz-id-2': 'id' },
      vpcEndpointId: 'vpce-1',
      vpcEndpointAccountId: '123456789012',
      eventCategory: 'Data',
      tlsDetails: { tlsVersion: 'TLSv1.3' },
    },
  ],
  [
    'a network activity',
    {
      ...somewhere,
      eventCategory: 'NetworkActivity',
      eventType: 'AwsVpceEvent',
      errorCode: 'VpceAccessDenied',
    },
  ],
  [
    'an insight, which nobody has called',
    {
      ...somewhere,
      eventVersion: '1.09',
      eventType: 'AwsCloudTrailInsight',
      eventCategory: 'Insight',
      sharedEventID: 's',
      insightDetails: { state: 'Start', eventSource: 'sts.amazonaws.com', eventName: 'AssumeRole' },
    },
  ],
  [
    'an event that CloudTrail has delivered late',
    {
      ...somewhere,
      eventSource: 'ec2.amazonaws.com',
      eventName: 'RunInstances',
      addendum: { reason: 'DELIVERY_DELAY', originalRequestID: 'r', originalEventID: 'e' },
    },
  ],
  [
    'an identity from outside that has no keys',
    {
      ...somewhere,
      userIdentity: { type: 'IdentityCenterUser', onBehalfOf: { userId: 'u' }, credentialId: 'c' },
      eventSource: 'sso.amazonaws.com',
      eventName: 'Authenticate',
    },
  ],
  [
    'what was cut because it was too long',
    {
      ...somewhere,
      eventSource: 'lambda.amazonaws.com',
      requestParameters: { omitted: true },
      omitted: true,
    },
  ],
  [
    'names of members that JavaScript has its own idea of',
    JSON.parse('{"__proto__":{"eventName":"AssumeRole"},"constructor":1,"userIdentity":[]}'),
  ],
];

/** The one kind of event that is a finding: shapes in which it comes. */
const bypasses: readonly (readonly [what: string, change: object])[] = [
  ['as the User Guide shows it', {}],
  ['of a version that is not there yet', { eventVersion: '3.0', more: {} }],
  [
    'without an id, a provider or a name',
    { eventID: undefined, userIdentity: undefined, requestID: null },
  ],
  [
    'delivered again, as an addendum',
    { addendum: { reason: 'UPDATED_DATA', originalEventID: 'bypass' }, eventID: 'b2' },
  ],
];

const bypass = {
  ...somewhere,
  eventVersion: '1.08',
  userIdentity: {
    type: 'WebIdentityUser',
    userName: 'x',
    identityProvider: 'p',
    principalId: 'p:a:x',
  },
  eventSource: 'sts.amazonaws.com',
  eventName: 'AssumeRoleWithWebIdentity',
  requestParameters: { roleArn: managed, roleSessionName: 'x', durationSeconds: 3600 },
  responseElements: {
    credentials: { accessKeyId: 'ASIABYPASS', sessionToken: 'X' },
    provider: 'p',
  },
  requestID: 'r',
  eventID: 'bypass',
};

let audit = '';
beforeAll(async () => {
  audit = newDirectory();
  await logOf(
    audit,
    Date.parse('2026-01-15T09:00:00Z'),
    exchangeRecord('A', { time: '2026-01-15T10:00:00.000Z' }),
    exchangeRecord('Z', { time: '2026-01-15T20:00:00.000Z' }),
  );
});

const check = (trail: string) => checkTrail(audit, trail);

function folder(files: Readonly<Record<string, string | Buffer>>): string {
  const directory = newDirectory();
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
    writeFileSync(path.join(directory, name), content);
  }
  return directory;
}

const records = (...list: readonly unknown[]) => JSON.stringify({ Records: list });

describe('shapes of CloudTrail', () => {
  it.each(shapes)('%s is read, and is no finding', async (_, record) => {
    const { code, summary, classes } = await check(folder({ 'a.json': records(record) }));
    expect({ code, classes, events: summary.events, unreadable: summary.unreadable }).toEqual({
      code: 0,
      classes: [],
      events: 1,
      unreadable: 0,
    });
  });

  it.each(bypasses)('a bypass %s is one', async (_, change) => {
    const event = { ...bypass, ...change };
    const trail = folder({ 'a.json': records({}, event), 'b.jsonl': `${JSON.stringify(event)}\n` });
    expect((await check(trail)).classes).toEqual(['bypass']);
  });

  it('finds it in whatever a trail is kept: packed, in parts, in lines, as EventBridge hands it on, and behind a link', async () => {
    const envelope = {
      'detail-type': 'AWS API Call via CloudTrail',
      source: 'aws.sts',
      detail: bypass,
    };
    const parts = [gzipSync('{"Records":['), gzipSync(`${JSON.stringify(bypass)}]}`)];
    for (const files of [
      { 'a.json.gz': gzipSync(records(bypass)) },
      { 'a.json.gz': Buffer.concat(parts) },
      { 'deep/er/a.jsonl.gz': gzipSync(`\n${JSON.stringify(bypass)}\n`) },
      { 'a.jsonl': JSON.stringify(envelope) },
    ]) {
      const elsewhere = folder(files);
      const linked = folder({});
      symlinkSync(elsewhere, path.join(linked, 'AWSLogs'));
      symlinkSync(linked, path.join(elsewhere, 'round'));
      expect((await check(linked)).classes).toEqual(['bypass']);
    }
  });

  it('T270: names each part that cannot be read, finds what is in the others, and calls nothing clean', async () => {
    const broken = {
      'a.json': '{"Records":[{},7,null]}',
      'b.jsonl': '{}\nnot json\n\n[]\n',
      'c.json.gz': gzipSync(records({})).subarray(0, 20),
      'd.json': '[]',
      'digest.json': JSON.stringify({ digestS3Object: 'x', logFiles: [] }),
    };
    const clean = await check(folder(broken));
    expect(clean).toMatchObject({ code: 1, classes: [], summary: { events: 2, unreadable: 6 } });
    for (const place of [
      'a.json line 2',
      'a.json line 3',
      'b.jsonl line 2',
      'b.jsonl line 4',
      'c.json.gz',
      'd.json',
    ])
      expect(clean.err).toContain(place);
    const found = await check(folder({ ...broken, 'e.json': records(bypass) }));
    expect(found).toMatchObject({ code: 2, classes: ['bypass'] });
  });
});
