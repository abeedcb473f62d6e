/**
 * The shapes in which sessions come: those of the IAM User Guide, and of events that others have published from accounts of their own, with values of
 * ours. Each is judged twice: on record it is no finding, or the one that its own words make it; off record it is.
 */

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { ExchangeRecord } from '../../src/core/records/exchange-record.ts';
import { exchangeRecord, logOf, newDirectory, removeDirectories } from '../audit/audit-fixture.ts';
import { checkTrail } from './trail-fixture.ts';

afterEach(removeDirectories);

const account = '123456789012';
const roleIn = (partition: string) => `arn:${partition}:iam::${account}:role/broker/orders-writer`;
const providers = `arn:aws:iam::${account}:oidc-provider/`;
const cognito = `${providers}cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEf123`;
const name = '4abc0exampleclientid';

/** An event of the User Guide, with members of others below it. */
function assumed(changes: Changes = {}) {
  const { identity, request, response, additional, ...others } = changes;
  return {
    eventVersion: '1.08',
    userIdentity: {
      type: 'WebIdentityUser',
      principalId: `${cognito}:${name}:${name}`,
      userName: name,
      identityProvider: cognito,
      ...identity,
    },
    eventTime: '2026-01-15T10:00:00Z',
    eventSource: 'sts.amazonaws.com',
    eventName: 'AssumeRoleWithWebIdentity',
    awsRegion: 'us-east-1',
    sourceIPAddress: '192.0.2.101',
    userAgent: 'aws-cli/2.13.29 command/sts.assume-role-with-web-identity',
    requestParameters: {
      roleArn: roleIn('aws'),
      roleSessionName: name,
      durationSeconds: 3600,
      ...request,
    },
    responseElements: {
      credentials: {
        accessKeyId: 'ASIAA',
        sessionToken: 'THE-SESSION-TOKEN',
        expiration: 'Jan 15, 2026, 11:00:00 AM',
      },
      subjectFromWebIdentityToken: name,
      assumedRoleUser: {
        assumedRoleId: `AROAEXAMPLE:${name}`,
        arn: `arn:aws:sts::${account}:assumed-role/orders-writer/${name}`,
      },
      provider: cognito,
      audience: name,
      ...response,
    },
    ...(additional === undefined ? {} : { additionalEventData: additional }),
    requestID: 'c0ffee00-1234-4123-8123-123456789012',
    eventID: 'e0000000-0000-4000-8000-000000000000',
    readOnly: true,
    resources: [{ accountId: account, type: 'AWS::IAM::Role', ARN: roleIn('aws') }],
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: account,
    eventCategory: 'Management',
    ...others,
  };
}

interface Changes extends Readonly<Record<string, unknown>> {
  readonly identity?: object;
  readonly request?: object;
  readonly response?: object;
  readonly additional?: object;
}

interface Shape {
  readonly what: string;
  readonly changes?: Changes;
  /** What the broker has recorded of it. */
  readonly recorded?: Partial<ExchangeRecord>;
  /** Default: none. */
  readonly onRecord?: string;
  /** Default: `bypass`. */
  readonly offRecord?: string;
}

const ofRole = (partition: string): Partial<ExchangeRecord> => ({
  session: { role: roleIn(partition), name, durationSeconds: 3600 },
});
const bound: Partial<ExchangeRecord> = {
  credentials: {
    cached: false,
    accessKeyId: 'ASIAA',
    assumedRoleId: `AROAEXAMPLE:${name}`,
    stsRequestId: 'c0ffee00-1234-4123-8123-123456789012',
    expiration: '2026-01-15T11:00:00Z',
    webIdentity: { id: 'j', keyId: 'k', sha256: 'a'.repeat(64) },
  },
};
const verified = { identityProviderConnectionVerificationMethod: 'IAMTrustStore' };

const shapes: readonly Shape[] = [
  { what: 'as the User Guide shows it' },
  {
    what: 'with tags, transitive keys, a source identity and a packed policy of the token',
    changes: {
      request: {
        sourceIdentity: 'alice',
        principalTags: { CostCenter: '24680', Project: 'Pegasus' },
        transitiveTagKeys: ['CostCenter', 'Project'],
      },
      response: { sourceIdentity: 'alice', packedPolicySize: 24 },
      additional: verified,
    },
  },
  {
    what: 'of a Regional endpoint, with TLS, and without the session token',
    changes: {
      eventVersion: '1.11',
      awsRegion: 'eu-central-1',
      response: {
        credentials: {
          accessKeyId: 'ASIAA',
          sessionToken: '',
          expiration: 'Jan 15, 2026, 11:00:00 AM',
        },
      },
      additional: {
        ...verified,
        RequestDetails: { awsServingRegion: 'eu-central-1', endpointType: 'regional' },
      },
      tlsDetails: {
        tlsVersion: 'TLSv1.3',
        cipherSuite: 'TLS_AES_128_GCM_SHA256',
        clientProvidedHostHeader: 'sts.eu-central-1.amazonaws.com',
      },
    },
  },
  {
    what: 'of the global endpoint, served elsewhere than it is recorded',
    changes: {
      additional: { RequestDetails: { awsServingRegion: 'eu-north-1', endpointType: 'global' } },
    },
  },
  {
    what: 'of a role that is held against the token',
    recorded: bound,
    changes: {
      additional: { ...verified, ExtendedRequestId: 'MTp1cy1lYXN0LTE6', RoleAuthorizedByIdp: true },
    },
  },
  {
    what: 'of a role that should be held against the token, and is not',
    recorded: bound,
    changes: { additional: verified },
    onRecord: 'unbound',
  },
  {
    what: 'of a provider that STS trusts by its thumbprint',
    changes: { additional: { identityProviderConnectionVerificationMethod: 'Thumbprint' } },
    onRecord: 'thumbprint',
  },
  {
    what: 'without a name, and with a subject of several parts',
    changes: {
      identity: {
        userName: undefined,
        principalId: `${cognito}:sts.amazonaws.com:organization:o:pipeline:p:ref:refs/heads/main`,
      },
      response: { subjectFromWebIdentityToken: 'system:serviceaccount:prod:checkout' },
    },
  },
  {
    what: 'that asks for no duration, and has an error that is null',
    changes: { request: { durationSeconds: undefined }, errorCode: null, errorMessage: null },
  },
  {
    what: 'in the partition of China',
    recorded: ofRole('aws-cn'),
    changes: { request: { roleArn: roleIn('aws-cn') }, awsRegion: 'cn-north-1' },
  },
  {
    what: 'in GovCloud',
    recorded: ofRole('aws-us-gov'),
    changes: { request: { roleArn: roleIn('aws-us-gov') }, awsRegion: 'us-gov-east-1' },
  },
  {
    what: 'that an organisation’s trail has of another account',
    changes: { userIdentity: undefined, recipientAccountId: '210987654321' },
  },
  {
    what: 'of a token that AWS itself has issued in another partition',
    changes: {
      identity: { identityProvider: `${providers}0f0f.tokens.sts.global.api.aws` },
      request: { webIdentityTokenId: 'f00d' },
      additional: {
        crossPartitionData: {
          sourcePrincipalArn: 'arn:aws-cn:iam::210987654321:role/x',
          sourceRegion: 'cn-north-1',
        },
      },
    },
    offRecord: 'other_provider',
  },
  {
    what: 'of a token of Google’s, that IAM knows without a provider',
    changes: {
      identity: { identityProvider: 'accounts.google.com', principalId: 'accounts.google.com:a:u' },
      response: { provider: 'accounts.google.com' },
    },
    offRecord: 'other_provider',
  },
];

/** Ways to a role that are no web identity: nobody’s broker has them on record. */
const others: readonly Shape[] = [
  {
    what: 'by a user of another account, in the account of the role',
    changes: {
      eventName: 'AssumeRole',
      identity: { type: 'AWSAccount', identityProvider: undefined, accountId: '777788889999' },
      sharedEventID: 'b0000000-0000-4000-8000-000000000000',
    },
  },
  {
    what: 'by a session of another role, with what is handed on',
    changes: {
      eventName: 'AssumeRole',
      identity: {
        type: 'AssumedRole',
        identityProvider: undefined,
        accessKeyId: 'ASIAOTHER',
        sessionContext: { webIdFederationData: {}, sourceIdentity: 'alice', attributes: {} },
      },
      request: {
        incomingTransitiveTags: { Department: 'Engineering' },
        tags: [{ key: 'Email', value: 'a@example.com' }],
      },
    },
  },
  {
    what: 'by a service of AWS',
    changes: {
      eventName: 'AssumeRole',
      userIdentity: { type: 'AWSService', invokedBy: 'ec2.amazonaws.com' },
      sourceIPAddress: 'ec2.amazonaws.com',
    },
  },
  {
    what: 'by SAML',
    changes: {
      eventName: 'AssumeRoleWithSAML',
      identity: { type: 'SAMLUser', identityProvider: 'bdGOnTesti4+ExamplexL/jEvs=' },
      request: {
        sAMLAssertionID: '_c0046c',
        principalArn: `arn:aws:iam::${account}:saml-provider/S`,
      },
      sourceIPAddress: 'AWS Internal',
    },
  },
];

/** As far as AWS writes them at all: most refusals are in no trail. */
const refusals = ['AccessDenied', 'ExpiredTokenException', 'InvalidIdentityTokenException'];

async function judged(recorded: readonly ExchangeRecord[], events: readonly object[]) {
  const audit = newDirectory();
  const last = exchangeRecord('Z', { time: '2026-01-15T20:00:00.000Z', outcome: 'denied' });
  await logOf(audit, Date.parse('2026-01-15T08:00:00Z'), ...recorded, last);
  const file = path.join(newDirectory(), 'a.json');
  writeFileSync(file, JSON.stringify({ Records: events }));
  const { code, err, out, classes, summary } = await checkTrail(audit, file);
  return { code, err, out, classes, joined: summary?.joined };
}

const recordOf = ({ recorded }: Shape) =>
  exchangeRecord('A', { time: '2026-01-15T10:00:00.000Z', ...recorded });
const taken = (changes: Changes = {}) =>
  assumed({
    ...changes,
    response: { ...changes.response, credentials: { accessKeyId: 'ASIATAKEN' } },
    eventID: 'taken',
    eventTime: '2026-01-15T11:00:00Z',
  });

describe('a session of CloudTrail', () => {
  it.each(shapes.map((shape) => [shape.what, shape] as const))(
    '%s, is one with its record',
    async (_, shape) => {
      const { onRecord } = shape;
      const found = await judged([recordOf(shape)], [assumed(shape.changes)]);
      expect(found).toMatchObject({
        code: onRecord === undefined ? 0 : 2,
        classes: onRecord === undefined ? [] : [onRecord],
        joined: 1,
      });
      expect(found.out).not.toContain('THE-SESSION-TOKEN');
    },
  );

  it.each(
    [...shapes, ...others.map((shape) => ({ ...shape, offRecord: 'other_provider' }))].map(
      (shape) => [shape.what, shape] as const,
    ),
  )('%s, is a finding without a record', async (_, shape) => {
    // Beside one of the broker, which says what provider its tokens come from.
    const honest = assumed({ request: { roleArn: recordOf(shape).session?.role } });
    const record = exchangeRecord('A', {
      time: '2026-01-15T10:00:00.000Z',
      session: recordOf(shape).session,
    });
    const { code, classes } = await judged([record], [honest, taken(shape.changes)]);
    expect({ code, classes }).toEqual({ code: 2, classes: [shape.offRecord ?? 'bypass'] });
  });

  it('whose access key somebody has taken out of the trail, is a bypass, and never nothing', async () => {
    const { classes } = await judged(
      [recordOf({ what: '' })],
      [assumed({ response: { credentials: undefined } })],
    );
    expect(classes).toEqual(['bypass']);
  });

  it.each(refusals)('that was refused by %s, is none', async (errorCode) => {
    const refused = assumed({
      ...{ errorCode, errorMessage: 'An unknown error occurred', resources: undefined },
      ...{ identity: { identityProvider: undefined }, responseElements: null },
    });
    const { code, classes } = await judged([recordOf({ what: '' })], [assumed(), refused]);
    expect({ code, classes }).toEqual({ code: 0, classes: [] });
  });
});
