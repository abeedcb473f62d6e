/** A policy document as the text of the tool that will hold it. */

import { stringify } from 'yaml';
import { asciiJson } from '../kit/json/ascii-json.ts';
import type { PolicyDocument, PolicyStatement } from '../web-identity/trust-policy.ts';

export const policyFormats = ['json', 'cloudformation', 'terraform'] as const;
export type PolicyFormat = (typeof policyFormats)[number];

/** The member of a CloudFormation resource that holds it: of AWS::IAM::Role, or of AWS::Organizations::Policy. */
export type PolicyMember = 'AssumeRolePolicyDocument' | 'Content';

export function policyText(
  policy: PolicyDocument,
  format: PolicyFormat,
  member: PolicyMember = 'AssumeRolePolicyDocument',
): string {
  switch (format) {
    case 'json':
      return `${asciiJson(JSON.stringify(policy, null, 2))}\n`;
    case 'cloudformation':
      return stringify({ [member]: policy }, { lineWidth: 0 });
    case 'terraform':
      return [
        'data "aws_iam_policy_document" "token_broker" {',
        ...policy.Statement.flatMap(terraformStatement).map((line) => `  ${line}`),
        '}',
        '',
      ].join('\n');
  }
}

function terraformStatement(statement: PolicyStatement): readonly string[] {
  const { Sid, Effect, Principal, Action, Resource, Condition } = statement;
  return [
    'statement {',
    `  sid     = ${quoted(Sid)}`,
    `  effect  = ${quoted(Effect)}`,
    `  actions = ${list(Action)}`,
    ...(Resource === undefined ? [] : [`  resources = ${list(Resource)}`]),
    '  principals {',
    `    type        = ${quoted(Principal === '*' ? '*' : 'Federated')}`,
    `    identifiers = ${list(Principal === '*' ? '*' : Principal.Federated)}`,
    '  }',
    ...Object.entries(Condition).flatMap(([test, keys]) =>
      Object.entries(keys).flatMap(([variable, values]) => [
        '  condition {',
        `    test     = ${quoted(test)}`,
        `    variable = ${quoted(variable)}`,
        `    values   = ${list(values)}`,
        '  }',
      ]),
    ),
    '}',
  ];
}

function list(values: string | readonly string[]): string {
  return `[${[values].flat().map(quoted).join(', ')}]`;
}

/** Terraform would read `${` and `%{` as templates of its own. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(/([$%])\{/g, '$1$1{');
}
