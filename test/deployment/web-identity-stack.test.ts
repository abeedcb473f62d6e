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
});
