/** What the role of the broker itself may do: read the table, sign with its keys, and nothing that would make it more than a gate. */

import { roleArnPattern } from '../../core/aws-names.ts';
import { type Check, ofEach } from '../check.ts';
import { awsCommand, documentWord } from '../commands.ts';
import { configuredKeys } from '../configured-keys.ts';
import type { Examination } from '../examination.ts';
import { type Finding, fail, pass, unknown, unreadFinding } from '../finding.ts';

const reads = ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:Scan'];
const signs = ['kms:GetPublicKey', 'kms:Sign'];

export const brokerPermissions: Check = {
  about: "the broker's own permissions, of the role that --broker-role names",
  permissions: ['iam:SimulatePrincipalPolicy', 'dynamodb:DescribeTable', 'kms:DescribeKey'],
  async run(examination) {
    const { config, brokerRole } = examination;
    if (brokerRole !== undefined) return await simulated(brokerRole, examination);
    if (config.profile === 'development') return [];
    return [
      unknown('the role of the broker', 'nobody said which it is', [
        'Name it with --broker-role; of aws/token-broker.yaml it is the output BrokerRoleArn.',
      ]),
    ];
  },
};

interface Wanted {
  readonly what: string;
  /** Of the policy that would give it. */
  readonly policyName: string;
  readonly actions: readonly string[];
  readonly resource: string;
}

async function simulated(role: string, examination: Examination): Promise<readonly Finding[]> {
  const { account, config } = examination;
  const [, , accountId = ''] = roleArnPattern.exec(role) ?? [];
  const elsewhere = await account.credentials.elsewhere(accountId);
  if (elsewhere !== undefined) return [unreadFinding(role, elsewhere)];
  const table = await account.tables.table(config.policy.table);
  const wanted: Wanted[] =
    table.kind === 'read'
      ? [
          {
            what: `table ${config.policy.table}`,
            policyName: 'token-broker-table',
            actions: reads,
            resource: table.value.arn,
          },
        ]
      : [];
  for (const { path, keyId, at } of configuredKeys(config)) {
    const key = await account.kms.key(keyId, at);
    if (key.kind !== 'read') continue;
    wanted.push({
      what: `key ${keyId} of ${path}`,
      policyName: `token-broker-${path}`,
      actions: signs,
      resource: key.value.arn,
    });
  }
  return await ofEach(wanted, (one) => simulation(role, one, examination));
}

async function simulation(
  role: string,
  { what, policyName, actions, resource }: Wanted,
  { account }: Examination,
): Promise<Finding> {
  const subject = `${role} on ${what}`;
  const read = await account.iam.simulated(role, actions, resource);
  if (read.kind === 'absent') {
    return fail(subject, 'there is no such role', ['Correct --broker-role.']);
  }
  if (read.kind === 'unread') return unreadFinding(subject, read);
  const lacking = actions.filter((action) => read.value.get(action) !== true);
  const judged =
    'by its identity policies; what the resource, endpoints and the organization say was not looked at';
  if (lacking.length === 0) return pass(subject, `may ${actions.join(', ')}, ${judged}`);
  const [, , , , name = ''] = roleArnPattern.exec(role) ?? [];
  const document = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: actions, Resource: resource }],
  };
  return fail(subject, `may not ${lacking.join(', ')}, ${judged}`, [
    awsCommand(
      ...['iam', 'put-role-policy', '--role-name', name],
      ...['--policy-name', policyName],
      ...['--policy-document', documentWord(document)],
    ),
  ]);
}
