/**
 * The shapes of managed policies that AWS publishes and that are hard on a grammar: each holds what is unusual in
 * the policy it is named after (AWS Managed Policy Reference Guide), and no more of it. All 1,260 that fit into
 * 2,048 characters, of 1,582 in moto 5.2.5 (`moto/iam/aws_managed_policies.py`, from 2026-10), were tried once.
 */

import type { SessionPolicy } from '../../../src/core/session/session-policy.ts';

function shape(...statements: Readonly<Record<string, unknown>>[]): SessionPolicy {
  const legal = { Effect: 'Allow', Action: 'ec2:Describe*', Resource: '*' };
  return {
    Version: '2012-10-17',
    Statement: statements.map((statement) => ({ ...legal, ...statement })),
  };
}

const variable = (name: string) => `\${${name}}`;
const sameCluster = variable('aws:PrincipalTag/eks:eks-cluster-name');

export const publishedPolicies: readonly {
  readonly name: string;
  readonly policy: SessionPolicy;
}[] = [
  {
    name: 'AmazonEKSBlockStoragePolicy',
    policy: shape({
      Condition: {
        StringEquals: { 'aws:RequestTag/eks:eks-cluster-name': sameCluster },
        'ForAllValues:StringLike': { 'aws:TagKeys': ['kubernetes.io/cluster/*', 'Name'] },
      },
    }),
  },
  {
    name: 'AmazonEKSComputePolicy',
    policy: shape({
      Resource: ['arn:aws:ec2:*:*:instance/*', 'arn:aws:ec2:*::image/*'],
      Condition: {
        StringEquals: { 'aws:ResourceTag/eks:eks-cluster-name': sameCluster },
        StringLike: { 'aws:RequestTag/eks:kubernetes-node-class-name': '*' },
      },
    }),
  },
  {
    name: 'AWSOutpostsServiceRolePolicy',
    policy: shape({ Resource: ['arn:*:ec2:*:*:vpc/*', 'arn:*:ec2:*:*:security-group/*'] }),
  },
  {
    name: 'AmazonDevOpsGuruOrganizationsAccess',
    policy: shape({ Resource: 'arn:aws:organizations::*:' }),
  },
  {
    name: 'MultiPartyApprovalFullAccess',
    policy: shape({ Resource: 'arn:aws:sso::aws:applicationProvider/mpa' }),
  },
  {
    name: 'AWSDataSyncFullAccess',
    policy: shape({ Resource: 'arn:*:secretsmanager:*:*:secret:aws-datasync!*' }),
  },
  {
    name: 'AmazonMWAAServiceRolePolicy',
    policy: shape({ Condition: { Null: { 'aws:ResourceTag/AmazonMWAAManaged': false } } }),
  },
  {
    name: 'AmazonTimestreamFullAccess',
    policy: shape({
      Condition: {
        'ForAnyValue:StringEquals': { 'kms:EncryptionContextKeys': 'aws:timestream:database-name' },
        Bool: { 'kms:GrantIsForAWSResource': true },
      },
    }),
  },
  {
    name: 'CloudTrailServiceRolePolicy',
    policy: shape({ Resource: 'arn:*:glue:*:*:table/aws:cloudtrail/*' }),
  },
  {
    name: 'IAMSelfManageServiceSpecificCredentials',
    policy: shape({ Resource: `arn:aws:iam::*:user/${variable('aws:username')}` }),
  },
];
