import { describe, expect, it } from '@jest/globals';
import { type Json, readTemplate, resolveProperties } from './stack-template.ts';

const template = readTemplate('web-identity');
const BrokerRoleArn = 'arn:aws:iam::111122223333:role/token-broker';
const parameters = {
  BrokerRoleArn,
  BucketName: 'identity',
  AlarmTopicArn: 'arn:aws:sns:us-east-1:111122223333:alarms',
};
const properties = (name: string) => resolveProperties(template, name, parameters);

function statements(policy: Json | undefined) {
  return (policy as { Statement: Record<string, unknown>[] }).Statement;
}

describe('the stack of the broker as an issuer', () => {
  const policy = statements(properties('SigningKey')['KeyPolicy']);

  it('lets the broker sign, and nobody else, whatever their own policies say', () => {
    const signing = policy.filter(({ Action }) => JSON.stringify(Action).includes('kms:Sign'));
    expect(signing).toEqual([
      expect.objectContaining({ Effect: 'Allow', Principal: { AWS: BrokerRoleArn } }),
      expect.objectContaining({
        Effect: 'Deny',
        Principal: '*',
        Condition: { ArnNotEquals: { 'aws:PrincipalArn': BrokerRoleArn } },
      }),
    ]);
    expect(JSON.stringify(policy)).not.toContain('kms:*');
  });

  it('makes a key of the kind that STS and the broker take', () => {
    expect(properties('SigningKey')).toMatchObject({
      KeySpec: 'RSA_2048',
      KeyUsage: 'SIGN_VERIFY',
    });
  });

  it('shows everybody the two documents and nothing else', () => {
    const open = statements(properties('DocumentsPolicy')['PolicyDocument']).filter(
      ({ Effect }) => Effect === 'Allow',
    );
    expect(open).toEqual([
      expect.objectContaining({
        Action: 's3:GetObject',
        Resource: [
          expect.stringMatching(/\/\.well-known\/openid-configuration$/),
          expect.stringMatching(/\/\.well-known\/jwks\.json$/),
        ],
      }),
    ]);
  });

  it('keeps the key and the host when it is deleted', () => {
    for (const name of ['SigningKey', 'Documents']) {
      expect(template.Resources[name]?.DeletionPolicy).toBe('Retain');
    }
  });

  const anybody = {
    broker: { type: 'AssumedRole', issuer: BrokerRoleArn },
    'another role': { type: 'AssumedRole', issuer: 'arn:aws:iam::111122223333:role/admin' },
    'a role with the same ending': {
      type: 'AssumedRole',
      issuer: 'arn:aws:iam::999999999999:role/token-broker',
    },
    'a user': { type: 'IAMUser' },
    'the root of the account': { type: 'Root' },
    'a service of AWS': { type: 'AWSService' },
    'somebody of another account': { type: 'AWSAccount' },
  } as const;

  /** As CloudTrail has a call of KMS, and EventBridge passes it on. */
  function call(
    eventName: string,
    { type, issuer }: { type: string; issuer?: string },
    ARN: string,
  ) {
    const session = issuer && { sessionContext: { sessionIssuer: { type: 'Role', arn: issuer } } };
    return {
      source: 'aws.kms',
      'detail-type': 'AWS API Call via CloudTrail',
      detail: {
        eventSource: 'kms.amazonaws.com',
        eventName,
        resources: [{ ARN, type: 'AWS::KMS::Key', accountId: '111122223333' }],
        userIdentity: { type, ...session },
      },
    };
  }

  const { detail } = properties('KeyChanged')['EventPattern'] as {
    readonly detail: { readonly resources: { readonly ARN: readonly [string] } };
  };
  const [keyArn] = detail.resources.ARN;
  const alarmed = (event: object) =>
    ['SignedByAnother', 'SignedByNoRole', 'KeyChanged'].filter((name) =>
      fits(properties(name)['EventPattern'], event),
    );

  it.each(Object.entries(anybody))(
    'alarms of a signature by %s, unless it is the broker',
    (who, by) => {
      expect(alarmed(call('Sign', by, keyArn)).length).toBe(who === 'broker' ? 0 : 1);
      expect(alarmed(call('Sign', by, 'another key'))).toEqual([]);
      expect(alarmed(call('GetPublicKey', by, keyArn))).toEqual([]);
    },
  );

  it.each(['PutKeyPolicy', 'CreateGrant', 'DisableKey', 'ScheduleKeyDeletion', 'UpdateAlias'])(
    'alarms of %s, whoever does it',
    (name) => {
      for (const by of Object.values(anybody)) {
        expect(alarmed(call(name, by, keyArn))).toEqual(['KeyChanged']);
      }
    },
  );

  it('sends every alarm to the topic, and Sign in the state in which rules see read-only events', () => {
    for (const name of ['SignedByAnother', 'SignedByNoRole', 'KeyChanged']) {
      expect(properties(name)['Targets']).toEqual([{ Id: 'alarm', Arn: parameters.AlarmTopicArn }]);
    }
    for (const name of ['SignedByAnother', 'SignedByNoRole']) {
      expect(properties(name)['State']).toBe('ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS');
    }
  });
});

/**
 * EventBridge's content filtering, as far as the stack uses it: lists of values, `anything-but`, objects within objects; an
 * element of a list is enough, and a member that is absent fits nothing (EventBridge user guide, eb-create-pattern-operators).
 */
function fits(pattern: unknown, event: unknown): boolean {
  if (Array.isArray(event)) return event.some((one) => fits(pattern, one));
  if (Array.isArray(pattern)) {
    return (
      event !== undefined &&
      pattern.some((wanted) => {
        const except = (Object(wanted) as Record<string, unknown>)['anything-but'];
        return Array.isArray(except) ? !except.includes(event) : wanted === event;
      })
    );
  }
  return Object.entries(pattern as object).every(([name, inner]) =>
    fits(inner, (Object(event) as Record<string, unknown>)[name]),
  );
}
