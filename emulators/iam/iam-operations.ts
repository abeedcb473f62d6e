/** What the local IAM answers, by action: https://docs.aws.amazon.com/IAM/latest/APIReference/ */

import { matchesGlob } from '../../src/iam-policy/glob.ts';
import { isJsonObject } from '../../src/kit/json/json-object.ts';
import type { QueryParameters } from '../../src/sts-protocol/query-form.ts';
import type { XmlElement } from '../../src/sts-protocol/xml.ts';
import { roleId } from '../sts/issued-keys.ts';
import { type OpenIdConnectProvider, oidcProviderName } from '../sts/oidc-providers.ts';
import type { IamRole, StsServer } from '../sts/sts-server.ts';
import { IamError } from './iam-error.ts';
import type { ManagedPolicy, RolePolicies } from './role-policies.ts';

interface Asked {
  readonly parameters: QueryParameters;
  readonly accountId: string;
  readonly sts: StsServer;
  readonly policies: RolePolicies;
}

export type IamOperation = (asked: Asked) => readonly XmlElement[];

const maxClientIds = 100;

export const iamOperations: ReadonlyMap<string, IamOperation> = new Map<string, IamOperation>([
  [
    'ListOpenIDConnectProviders',
    (asked) => {
      const arns = ownProviders(asked).map((one): XmlElement => ['member', [['Arn', arnOf(one)]]]);
      return [['OpenIDConnectProviderList', arns]];
    },
  ],
  [
    'GetOpenIDConnectProvider',
    (asked) => {
      const provider = providerOf(asked);
      // As AWS prints it: without the scheme.
      return [
        ['Url', oidcProviderName(provider.issuer)],
        ['ClientIDList', members(provider.clientIds)],
      ];
    },
  ],
  [
    'CreateOpenIDConnectProvider',
    (asked) => {
      const issuer = required(asked, 'Url');
      const clientIds = listed(asked, 'ClientIDList');
      const jwksUri = `${issuer}/.well-known/jwks.json`;
      const provider = { accountId: asked.accountId, issuer, jwksUri, clientIds };
      if (ownProviders(asked).some((one) => arnOf(one) === arnOf(provider))) {
        throw new IamError('EntityAlreadyExists', 'Provider with url already exists.');
      }
      asked.sts.putProvider(provider);
      return [['OpenIDConnectProviderArn', arnOf(provider)]];
    },
  ],
  [
    'AddClientIDToOpenIDConnectProvider',
    (asked) => {
      const provider = providerOf(asked);
      const clientIds = [...new Set([...provider.clientIds, required(asked, 'ClientID')])];
      if (clientIds.length > maxClientIds) {
        const message = 'Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100';
        throw new IamError('LimitExceeded', message);
      }
      asked.sts.putProvider({ ...provider, clientIds });
      return [];
    },
  ],
  ['GetRole', (asked) => [['Role', roleElements(roleOf(asked))]]],
  [
    'CreateRole',
    (asked) => {
      const name = required(asked, 'RoleName');
      const path = asked.parameters.get('Path') ?? '/';
      const arn = `arn:aws:iam::${asked.accountId}:role${path}${name}`;
      saveRole(asked, { arn, trustPolicy: document(asked, 'AssumeRolePolicyDocument') });
      return [['Role', roleElements(roleOf(asked))]];
    },
  ],
  [
    'UpdateAssumeRolePolicy',
    (asked) => {
      saveRole(asked, { ...roleOf(asked), trustPolicy: document(asked, 'PolicyDocument') });
      return [];
    },
  ],
  [
    'UpdateRole',
    (asked) => {
      const role = roleOf(asked);
      const maxSessionDurationSeconds = Number(required(asked, 'MaxSessionDuration'));
      saveRole(asked, { ...role, maxSessionDurationSeconds });
      return [];
    },
  ],
  [
    'ListRolePolicies',
    (asked) => [
      ['PolicyNames', members([...asked.policies.inlineOf(nameOf(roleOf(asked))).keys()])],
      ['IsTruncated', 'false'],
    ],
  ],
  [
    'GetRolePolicy',
    (asked) => {
      const [roleName, name] = [nameOf(roleOf(asked)), required(asked, 'PolicyName')];
      const found = asked.policies.inlineOf(roleName).get(name);
      if (found === undefined) throw missing('The role policy cannot be found.');
      return [
        ['RoleName', roleName],
        ['PolicyName', name],
        ['PolicyDocument', encoded(found)],
      ];
    },
  ],
  [
    'PutRolePolicy',
    (asked) => {
      const { policies } = asked;
      const name = required(asked, 'PolicyName');
      policies.put(nameOf(roleOf(asked)), name, document(asked, 'PolicyDocument'));
      return [];
    },
  ],
  [
    'ListAttachedRolePolicies',
    (asked) => {
      const attached = asked.policies.attachedTo(nameOf(roleOf(asked)));
      const elements = attached.map(
        ({ arn }): XmlElement => [
          'member',
          [
            ['PolicyName', arn.split('/').at(-1)],
            ['PolicyArn', arn],
          ],
        ],
      );
      return [
        ['AttachedPolicies', elements],
        ['IsTruncated', 'false'],
      ];
    },
  ],
  [
    'GetPolicy',
    (asked) => {
      const { arn } = managedOf(asked);
      return [
        [
          'Policy',
          [
            ['Arn', arn],
            ['DefaultVersionId', 'v1'],
          ],
        ],
      ];
    },
  ],
  [
    'GetPolicyVersion',
    (asked) => {
      const text = encoded(managedOf(asked).document);
      return [
        [
          'PolicyVersion',
          [
            ['Document', text],
            ['VersionId', 'v1'],
          ],
        ],
      ];
    },
  ],
  [
    'SimulatePrincipalPolicy',
    (asked) => {
      const arn = required(asked, 'PolicySourceArn');
      const [resource = '*'] = listed(asked, 'ResourceArns');
      const results = listed(asked, 'ActionNames').map((action): XmlElement => {
        const decision = simulated(asked, arn.split('/').at(-1) ?? '', action, resource);
        return [
          'member',
          [
            ['EvalActionName', action],
            ['EvalResourceName', resource],
            ['EvalDecision', decision],
          ],
        ];
      });
      return [
        ['EvaluationResults', results],
        ['IsTruncated', 'false'],
      ];
    },
  ],
]);

/** By action and resource: no condition is looked at, so one neither takes back an allow nor lifts a deny. */
function simulated(
  { policies }: Asked,
  roleName: string,
  action: string,
  resource: string,
): 'allowed' | 'explicitDeny' | 'implicitDeny' {
  const documents = [
    ...policies.inlineOf(roleName).values(),
    ...policies.attachedTo(roleName).map((policy) => policy.document),
  ];
  const matches = (patterns: unknown, text: string) =>
    [patterns].flat().some((pattern) => matchesGlob(String(pattern), text));
  const effects = documents
    .flatMap((policy) => ('Statement' in policy ? [policy.Statement].flat() : []))
    .filter(isJsonObject)
    .filter((one) => matches(one['Action'], action) && matches(one['Resource'], resource))
    .map((one) => one['Effect']);
  if (effects.includes('Deny')) return 'explicitDeny';
  return effects.includes('Allow') ? 'allowed' : 'implicitDeny';
}

function ownProviders({ sts, accountId }: Asked): readonly OpenIdConnectProvider[] {
  return sts.providers.filter((provider) => provider.accountId === accountId);
}

function providerOf(asked: Asked): OpenIdConnectProvider {
  const arn = required(asked, 'OpenIDConnectProviderArn');
  const found = ownProviders(asked).find((provider) => arnOf(provider) === arn);
  if (found === undefined) throw missing('OpenIDConnect Provider not found.');
  return found;
}

function arnOf({ accountId, issuer }: Pick<OpenIdConnectProvider, 'accountId' | 'issuer'>): string {
  return `arn:aws:iam::${accountId}:oidc-provider/${oidcProviderName(issuer)}`;
}

function roleOf(asked: Asked): IamRole {
  const name = required(asked, 'RoleName').toLowerCase();
  const found = asked.sts.roles.find(
    (role) => nameOf(role).toLowerCase() === name && role.arn.split(':')[4] === asked.accountId,
  );
  if (found === undefined) throw missing('The role cannot be found.');
  return found;
}

function nameOf({ arn }: IamRole): string {
  return arn.split('/').at(-1) ?? '';
}

function saveRole({ sts }: Asked, role: IamRole): void {
  try {
    sts.putRole(role);
  } catch (error) {
    throw new IamError('MalformedPolicyDocument', (error as Error).message);
  }
}

function roleElements(role: IamRole): readonly XmlElement[] {
  return [
    ['Path', role.arn.replace(/^.*?:role/, '').replace(/[^/]*$/, '')],
    ['RoleName', nameOf(role)],
    ['RoleId', roleId(role.arn)],
    ['Arn', role.arn],
    ['CreateDate', '2026-01-01T00:00:00Z'],
    ['AssumeRolePolicyDocument', encoded(role.trustPolicy)],
    ['MaxSessionDuration', String(role.maxSessionDurationSeconds ?? 3600)],
  ];
}

function managedOf(asked: Asked): ManagedPolicy {
  const found = asked.policies.managed(required(asked, 'PolicyArn'));
  if (found === undefined) throw missing('The policy does not exist or is not attachable.');
  return found;
}

/** IAM prints documents in percent encoding (RFC 3986). */
function encoded(policy: object): string {
  return encodeURIComponent(JSON.stringify(policy));
}

function document(asked: Asked, parameter: string): object {
  try {
    const value: unknown = JSON.parse(required(asked, parameter));
    if (isJsonObject(value)) return value;
  } catch {
    // Said below.
  }
  throw new IamError('MalformedPolicyDocument', 'The policy must be a JSON object');
}

function members(texts: readonly string[]): readonly XmlElement[] {
  return texts.map((text): XmlElement => ['member', text]);
}

function listed({ parameters }: Asked, name: string): readonly string[] {
  return [...parameters]
    .filter(([key]) => key.startsWith(`${name}.member.`))
    .map(([, value]) => value);
}

function required({ parameters }: Asked, name: string): string {
  const value = parameters.get(name);
  if (value === undefined) throw new IamError('ValidationError', `${name} is missing`);
  return value;
}

function missing(message: string): IamError {
  return new IamError('NoSuchEntity', message);
}
