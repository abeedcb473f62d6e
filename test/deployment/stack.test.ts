import { createContext, runInContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { parseTrustPolicy, trustVerdict } from '../../src/iam-policy/trust-policy.ts';
import { type Attributes, readTemplate, refusals, resolveProperties } from './stack-template.ts';

const template = readTemplate();
const issuer = 'cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEf123';
const parameters = {
  UserPoolId: 'us-east-1_AbCdEf123',
  UserPoolIssuer: `https://${issuer}`,
  AppClientIds: '4abc0exampleclientid,5abc0exampleclientid',
  EksClusterArn: 'arn:aws:eks:us-east-1:111122223333:cluster/main',
  ExampleClientId: '4abc0exampleclientid',
  ExampleSubject: '4abc0exampleclientid',
};

describe('the parameters', () => {
  const network = {
    VpcId: 'vpc-0123',
    SubnetIds: 'subnet-0123,subnet-0456',
    BrokerSecurityGroupId: 'sg-0123',
  };

  it.each(Object.keys(network))('are refused without %s where endpoints are made', (name) => {
    expect(refusals(template, { ...parameters, ...network })).toEqual([]);
    expect(refusals(template, { ...parameters, ...network, [name]: '' })).toEqual([
      `CreateVpcEndpoints needs ${name}.`,
    ]);
  });
});

describe('the example role (T21)', () => {
  const viaBroker = {
    [`${issuer}:aud`]: '4abc0exampleclientid',
    [`${issuer}:sub`]: '4abc0exampleclientid',
    'aws:sourcevpce': 'vpce-0123',
  };
  const withOwnEndpoint = {
    ...parameters,
    CreateVpcEndpoints: 'false',
    StsVpcEndpointId: 'vpce-0123',
  };

  it('can be assumed with the right token through the broker’s endpoint', () => {
    expect(trusts(withOwnEndpoint, viaBroker)).toBe(true);
  });

  it.each([
    [
      'from outside of any endpoint, as anyone on the internet could',
      { 'aws:sourcevpce': undefined },
    ],
    ['through another endpoint of the VPC', { 'aws:sourcevpce': 'vpce-0999' }],
    ['with the token of another app client', { [`${issuer}:aud`]: '5abc0exampleclientid' }],
    ['with the token of another subject', { [`${issuer}:sub`]: '5abc0exampleclientid' }],
    ['with a token that has no audience', { [`${issuer}:aud`]: undefined }],
  ])('cannot be assumed %s', (_, change) => {
    expect(trusts(withOwnEndpoint, { ...viaBroker, ...change })).toBe(false);
  });

  it('cannot be assumed with a token of another pool', () => {
    const other = issuer.replace('AbCdEf123', 'Other');
    const renamed = Object.fromEntries(
      Object.entries(viaBroker).map(([name, value]) => [name.replace(issuer, other), value]),
    );
    expect(trusts(withOwnEndpoint, renamed)).toBe(false);
  });

  it('trusts the endpoint of the stack where the stack creates it', () => {
    expect(trustPolicy(parameters)).toContain('"aws:SourceVpce": "<StsEndpoint>"');
  });

  it('follows a pool with the updated form of issuer', () => {
    const updated = `issuer-${issuer}`;
    const policy = trustPolicy({ ...parameters, UserPoolIssuer: `https://${updated}` });
    expect(policy).toContain(`oidc-provider/${updated}"`);
    expect(policy).toContain(`"${updated}:aud"`);
  });

  function trusts(
    values: Readonly<Record<string, string>>,
    context: Readonly<Record<string, string | undefined>>,
  ): boolean {
    const present = Object.entries(context).flatMap(([name, value]): [string, string[]][] =>
      value === undefined ? [] : [[name.toLowerCase(), [value]]],
    );
    const verdict = trustVerdict(parseTrustPolicy(JSON.parse(trustPolicy(values))), {
      action: 'sts:AssumeRoleWithWebIdentity',
      federatedArn: `arn:aws:iam::111122223333:oidc-provider/${issuer}`,
      context: new Map(present),
    });
    return verdict === 'allowed';
  }

  function trustPolicy(values: Readonly<Record<string, string>>): string {
    return String(resolveProperties(template, 'ExampleRole', values)['AssumeRolePolicyDocument']);
  }
});

describe('the broker’s own roles', () => {
  it('lets the pods that hand out credentials read the table and do nothing else (T49)', () => {
    const role = resolveProperties(template, 'BrokerRole', parameters);
    expect(role['ManagedPolicyArns']).toEqual(['<TableReaderPolicy>']);
    expect(role['Policies']).toBeUndefined();
    expect(statementsOf('TableReaderPolicy')).toEqual([
      {
        Sid: 'ReadRoleMappings',
        Effect: 'Allow',
        Action: ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:Scan'],
        Resource: '<Table.Arn>',
      },
    ]);
  });

  it('lets only the admin instance write to the table, and to no other (T49)', () => {
    const writers = Object.keys(template.Resources).filter((name) =>
      JSON.stringify(resolveProperties(template, name, parameters)).includes('<TableWriterPolicy>'),
    );
    expect(writers).toEqual(['AdminRole']);
    const statements = statementsOf('TableWriterPolicy');
    expect(new Set(statements.map(({ Resource }) => Resource))).toEqual(new Set(['<Table.Arn>']));
  });

  const everyWrite = ['PutItem', 'UpdateItem', 'DeleteItem', 'BatchWriteItem', 'PartiQLDelete'];
  const everyKey = ['MAPPING#orders-writer', 'CHANGES#000000000000001', 'HEAD', 'ANYTHING'];

  it.each(
    everyWrite.flatMap((action) =>
      everyKey.flatMap((key) => [true, false].map((inside) => [action, key, inside] as const)),
    ),
  )('lets a writer %s %s (in a transaction: %s) only as edits do (T89)', (action, key, inside) => {
    const edits: readonly string[] = [
      'PutItem MAPPING#orders-writer',
      'PutItem CHANGES#000000000000001',
      'PutItem HEAD',
      'DeleteItem MAPPING#orders-writer',
    ];
    const enclosing = inside ? ['TransactWriteItems'] : [];
    const context = { 'dynamodb:EnclosingOperation': enclosing, 'dynamodb:LeadingKeys': [key] };
    const allowed = decides(statementsOf('TableWriterPolicy'), `dynamodb:${action}`, context);
    expect(allowed).toBe(inside && edits.includes(`${action} ${key}`));
  });

  it('lets a writer change nothing without a key, and nothing of the table itself (T89)', () => {
    const context = { 'dynamodb:EnclosingOperation': ['TransactWriteItems'] };
    for (const action of [...everyWrite, 'DeleteTable', 'UpdateTable', 'UpdateTimeToLive']) {
      const statements = statementsOf('TableWriterPolicy');
      expect(decides(statements, `dynamodb:${action}`, context)).toBe(false);
    }
  });

  it.each([
    ['BrokerRole', 'token-broker'],
    ['AdminRole', 'token-broker-admin'],
  ])('gives %s to the service account %s of one namespace of one cluster', (role, account) => {
    expect(resolveProperties(template, role, parameters)['AssumeRolePolicyDocument']).toMatchObject(
      {
        Statement: [
          {
            Principal: { Service: 'pods.eks.amazonaws.com' },
            Action: ['sts:AssumeRole', 'sts:TagSession'],
            Condition: {
              StringEquals: {
                'aws:RequestTag/eks-cluster-arn': parameters.EksClusterArn,
                'aws:RequestTag/kubernetes-namespace': 'token-broker',
                'aws:RequestTag/kubernetes-service-account': account,
              },
            },
          },
        ],
      },
    );
  });
});

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Principal?: Readonly<Record<string, unknown>>;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | string[]>>>>;
}

function statementsOf(
  resource: string,
  values: Readonly<Record<string, string>> = parameters,
): readonly Statement[] {
  const { PolicyDocument } = resolveProperties(template, resource, values);
  return (PolicyDocument as Attributes)['Statement'] as unknown as readonly Statement[];
}

/** As IAM does, for the operators that the template uses; whatever resource and principal. */
function decides(
  statements: readonly Statement[],
  action: string,
  context: Readonly<Record<string, readonly string[]>>,
): boolean {
  const matching = statements.filter(
    (statement) =>
      [statement.Action].flat().some((it) => it === action || it === `${action.split(':')[0]}:*`) &&
      Object.entries(statement.Condition ?? {}).every(([operator, block]) =>
        Object.entries(block).every(([key, value]) =>
          conditionHolds(operator, context[key] ?? [], [value].flat()),
        ),
      ),
  );
  return (
    matching.some(({ Effect }) => Effect === 'Allow') &&
    !matching.some(({ Effect }) => Effect === 'Deny')
  );
}

function conditionHolds(
  operator: string,
  present: readonly string[],
  patterns: readonly string[],
): boolean {
  const like = (value: string) =>
    patterns.some((one) =>
      one.endsWith('*') ? value.startsWith(one.slice(0, -1)) : value === one,
    );
  switch (operator) {
    case 'ForAllValues:StringLike':
      return present.every(like);
    case 'ForAnyValue:StringLike':
      return present.some(like);
    case 'ForAnyValue:StringEquals':
    case 'ArnEquals':
    case 'Bool':
      return present.some((value) => patterns.includes(value));
    case 'StringNotEquals':
      return !present.some((value) => patterns.includes(value));
    case 'Null':
      return patterns.includes(String(present.length === 0));
    default:
      throw new Error(`nobody here knows ${operator}`);
  }
}

describe('keys and bucket of signed logs', () => {
  const roles = ['<BrokerRole.Arn>', '<AdminRole.Arn>'];
  const root = 'arn:aws:iam::111122223333:root';

  it.each([
    ['CheckpointKey', roles],
    ['SealKey', ['<AdminRole.Arn>']],
  ])('lets %s sign for nobody but %j (T121)', (key, signers) => {
    const document = resolveProperties(template, key, parameters)['KeyPolicy'] as Attributes;
    const [administer, sign, ...more] = document['Statement'] as unknown as Statement[];
    expect(more).toEqual([]);
    expect(administer?.Principal).toEqual({ AWS: root });
    const signing = /^kms:(?:\*|S(?:ign|\*).*|Create.*|Re(?:\*|voke).*)$/;
    expect([administer?.Action].flat().filter((it) => signing.test(it ?? ''))).toEqual([]);
    expect([sign?.Principal?.['AWS']].flat()).toEqual(signers);
    expect(sign?.Action).toEqual(['kms:Sign', 'kms:GetPublicKey']);
  });

  const allowed = {
    's3:if-none-match': ['*'],
    's3:object-lock-mode': ['COMPLIANCE'],
    'aws:SecureTransport': ['true'],
  };
  it.each([
    ['a locked checkpoint, once', {}, true],
    ['what replaces another', { 's3:if-none-match': [] }, false],
    ['what is not locked', { 's3:object-lock-mode': [] }, false],
    ['what can be unlocked', { 's3:object-lock-mode': ['GOVERNANCE'] }, false],
    ['anything in clear text', { 'aws:SecureTransport': ['false'] }, false],
  ])('lets the roles write %s: %j %s (T121)', (_what, change, may) => {
    const statements = statementsOf('CheckpointBucketPolicy');
    expect(decides(statements, 's3:PutObject', { ...allowed, ...change })).toBe(may);
  });

  it('lets the roles delete nothing, and nobody else in (T121)', () => {
    const statements = statementsOf('CheckpointBucketPolicy');
    const actions = statements.flatMap(({ Effect, Action }) => (Effect === 'Allow' ? Action : []));
    expect(new Set(actions)).toEqual(
      new Set([
        's3:PutObject',
        's3:PutObjectRetention',
        's3:GetObject',
        's3:GetObjectRetention',
        's3:GetBucketObjectLockConfiguration',
      ]),
    );
    for (const { Effect, Principal } of statements) {
      if (Effect === 'Allow') expect(Principal).toEqual({ AWS: roles });
    }
    expect(template.Resources).toMatchObject({ CheckpointBucket: { DeletionPolicy: 'Retain' } });
    expect(resolveProperties(template, 'CheckpointBucket', parameters)).toMatchObject({
      ObjectLockEnabled: true,
      VersioningConfiguration: { Status: 'Enabled' },
    });
  });
});

describe('the table', () => {
  it('has the key of the broker, can be restored, and cannot be deleted by mistake', () => {
    expect(template.Resources).toMatchObject({ Table: { DeletionPolicy: 'Retain' } });
    expect(resolveProperties(template, 'Table', parameters)).toMatchObject({
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      DeletionProtectionEnabled: true,
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      SSESpecification: { SSEEnabled: true },
    });
  });
});

describe('the endpoints', () => {
  it.each(['StsEndpoint', 'TableEndpoint'])(
    'keeps %s to the broker: optional, no private DNS',
    (name) => {
      expect(template.Resources).toMatchObject({ [name]: { Condition: 'WithVpcEndpoints' } });
      expect(resolveProperties(template, name, parameters)).toMatchObject({
        VpcEndpointType: 'Interface',
        PrivateDnsEnabled: false,
        SecurityGroupIds: ['<EndpointSecurityGroup>'],
      });
    },
  );

  it('lets nothing but the exchange through the STS endpoint (T21)', () => {
    expect(statementsOf('StsEndpoint')).toMatchObject([
      { Effect: 'Allow', Action: 'sts:AssumeRoleWithWebIdentity' },
    ]);
  });

  it('lets no roles through the STS endpoint but those that are meant for the broker (T89)', () => {
    const ours = 'arn:aws:iam::111122223333:role/broker/*';
    expect(statementsOf('StsEndpoint').map(({ Resource }) => Resource)).toEqual([[ours]]);
    const theirs = 'arn:aws:iam::444455556666:role/broker/*';
    const named = statementsOf('StsEndpoint', { ...parameters, MappedRoles: theirs });
    expect(named.map(({ Resource }) => Resource)).toEqual([theirs]);
  });

  it.each(['GetItem', 'Query', 'Scan', 'PutItem', 'DeleteItem', 'UpdateItem', 'DeleteTable'])(
    'lets %s through the endpoint of the table for the broker’s own roles alone (T89)',
    (action) => {
      const statements = statementsOf('TableEndpoint');
      const may = (arn: string) =>
        decides(statements, `dynamodb:${action}`, { 'aws:PrincipalArn': [arn] });
      const reads = ['GetItem', 'Query', 'Scan'].includes(action);
      expect(may('<BrokerRole.Arn>')).toBe(reads);
      expect(may('<AdminRole.Arn>')).toBe(reads || ['PutItem', 'DeleteItem'].includes(action));
      expect(may('arn:aws:iam::444455556666:role/attacker')).toBe(false);
      expect(statements.map(({ Resource }) => Resource)).toEqual(['<Table.Arn>', '<Table.Arn>']);
    },
  );
});

describe('the audience trigger', () => {
  it('puts the app client id into the access token of a client-credentials request', async () => {
    const response = await trigger({
      version: '3',
      triggerSource: 'TokenGeneration_ClientCredentials',
      region: 'us-east-1',
      userPoolId: 'us-east-1_AbCdEf123',
      userName: '4abc0exampleclientid',
      callerContext: { awsSdkVersion: 'aws-sdk-unknown-unknown', clientId: '4abc0exampleclientid' },
      request: {
        userAttributes: {},
        groupConfiguration: null,
        scopes: ['orders/write'],
        clientMetadata: { aud: 'somebody-else', clientId: 'somebody-else' },
      },
      response: { claimsAndScopeOverrideDetails: null },
    });
    expect(response).toEqual({
      claimsAndScopeOverrideDetails: {
        accessTokenGeneration: { claimsToAddOrOverride: { aud: '4abc0exampleclientid' } },
      },
    });
  });

  it('answers before Cognito gives up, and may be called by this pool only', () => {
    const { Timeout } = resolveProperties(template, 'AudienceTrigger', parameters);
    expect(Timeout).toBeLessThan(5);
    expect(resolveProperties(template, 'AudienceTriggerPermission', parameters)).toMatchObject({
      Principal: 'cognito-idp.amazonaws.com',
      SourceArn: 'arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_AbCdEf123',
    });
  });

  /** The function's code, run as Lambda runs it: a CommonJS module that exports its handler. */
  async function trigger(event: object): Promise<unknown> {
    const { Code, Handler } = resolveProperties(template, 'AudienceTrigger', parameters);
    expect(Handler).toBe('index.handler');
    const exported: { handler?: (event: object) => Promise<{ response: unknown }> } = {};
    runInContext(String((Code as Attributes)['ZipFile']), createContext({ exports: exported }));
    // What crosses to Cognito is JSON.
    return JSON.parse(JSON.stringify((await exported.handler?.(event))?.response));
  }
});
