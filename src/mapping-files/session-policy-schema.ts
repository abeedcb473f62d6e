/**
 * JSON Schema of a session policy, for editors: what they complete and explain. The grammar that is checked is in
 * src/core/session/policy-grammar; what passes there passes here.
 */

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: claim references of session policies

import { conditionOperators } from '../core/session/policy-grammar/condition-operator.ts';

const oneOrMore = (item: object) => ({
  anyOf: [item, { type: 'array', minItems: 1, items: item }],
});

const action = {
  type: 'string',
  pattern: '^(?:\\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$',
  patternErrorMessage:
    'Write the service, a colon and the action, such as s3:GetObject; * and ? stand for anything. Claims are not allowed here.',
};

const resource = {
  type: 'string',
  pattern: '^(?:\\*|arn:(?:[a-z-]+|\\*):[a-z0-9-]+:.*:.*:[\\s\\S]*)$',
  patternErrorMessage:
    'Write "*" or an ARN, such as arn:aws:s3:::invoices/${claim:sub}/*: arn, partition, service, region, account and resource, apart by colons.',
};

const comparison = {
  type: 'object',
  description: 'Condition keys, such as s3:prefix, and the values that they are compared with.',
};

const statement = {
  type: 'object',
  properties: {
    Sid: {
      type: 'string',
      pattern: '^[A-Za-z0-9]*$',
      patternErrorMessage: 'Letters and digits only.',
      description: 'A name, of letters and digits.',
    },
    Effect: { enum: ['Allow', 'Deny'], description: 'A deny wins.' },
    Action: { ...oneOrMore(action), description: 'Actions, such as s3:GetObject.' },
    NotAction: { ...oneOrMore(action), description: 'All actions but these.' },
    Resource: { ...oneOrMore(resource), description: 'ARNs; may hold ${claim:NAME}.' },
    NotResource: { ...oneOrMore(resource), description: 'All resources but these.' },
    Condition: {
      type: 'object',
      description:
        'Condition operators; all must hold. May hold ${claim:NAME} where texts are compared.',
      properties: Object.fromEntries(
        [...conditionOperators, 'Null'].map((operator) => [operator, comparison]),
      ),
      additionalProperties: comparison,
    },
  },
  required: ['Effect'],
  additionalProperties: false,
};

export const sessionPolicySchema = {
  type: 'object',
  properties: {
    Version: { const: '2012-10-17', description: 'The only version that knows ${…}.' },
    Id: { type: 'string', description: 'For people.' },
    Statement: {
      ...oneOrMore(statement),
      description: 'What the session may do of what the role may.',
    },
  },
  required: ['Version', 'Statement'],
  additionalProperties: false,
};
