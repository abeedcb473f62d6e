/** The role-mapping table, and what may be in it. */

import { z } from 'zod';
import { maxDurationSeconds, minDurationSeconds } from '../../core/aws-names.ts';
import { approvalTimes, noApproval } from '../../core/policy/approval.ts';
import { defaultGuardrails } from '../../core/policy/guardrails.ts';
import { distinctList } from '../../kit/json/distinct-list.ts';
import { groupName, path, plainUrl, regionName, signingKey } from './values.ts';

const roleNamePattern = z
  .string()
  .regex(/^\*?[\w+=,.@-]{1,64}\*?$/, 'must be a role name; "*" may stand at either end');

export const guardrails = z
  .strictObject({
    allowedPartitions: distinctList(
      z.string().regex(/^aws(?:-[a-z]+)*$/, 'must be an AWS partition such as aws-us-gov'),
    )
      .min(1)
      .optional()
      .describe('Partitions whose roles may be mapped; default: those of the STS endpoints.'),
    allowedAccounts: distinctList(
      z
        .string('must be an account id in quotes')
        .regex(/^\d{12}$/, 'must be the twelve digits of an account id'),
    )
      .default([])
      .describe('Accounts whose roles may be mapped; empty allows any.'),
    rolePathPrefixes: distinctList(
      z
        .string()
        .max(512)
        .regex(/^\/(?:[\x21-\x29\x2b-\x7e]*\/)?$/, 'must begin and end with a slash'),
    )
      .default([])
      .describe(
        'Beginnings, like `/broker/`, of the paths of roles that may be mapped; empty allows any.',
      ),
    forbiddenRoleNames: distinctList(roleNamePattern)
      .default([...defaultGuardrails.forbiddenRoleNames])
      .describe(
        'Names of roles that may never be mapped, in any case of letters; `*` at either end stands for anything.',
      ),
    maxSessionSeconds: z
      .int()
      .min(minDurationSeconds)
      .max(maxDurationSeconds)
      .default(defaultGuardrails.maxSessionSeconds)
      .describe('Longest session that a role mapping may allow.'),
    reservedTags: z
      .array(
        z.strictObject({
          key: z.string().min(1).max(128).describe('Key of a session tag, in any case of letters.'),
          value: z
            .string()
            .min(1)
            .max(512)
            .optional()
            .describe(
              'The only value that mappings may give it, as they write it; without it none may set the tag.',
            ),
        }),
      )
      .default([])
      .describe('Session tags that mean something to policies of the accounts.'),
    approval: z
      .strictObject({
        when: z
          .enum(approvalTimes)
          .default(noApproval.when)
          .describe(
            'Which edits wait for a second administrator: none, those that are not proven to narrow access, or all but what only takes away.',
          ),
        roles: distinctList(roleNamePattern)
          .default([])
          .describe(
            'Names of the roles whose edits wait, in any case of letters; `*` at either end stands for anything; empty is all.',
          ),
        approvers: distinctList(groupName)
          .default([])
          .describe(
            'Groups of `admin.pool` whose members may approve; empty is every administrator who is a person.',
          ),
        breakGlass: distinctList(groupName)
          .default([])
          .describe(
            'Groups of `admin.pool` whose members may do without approval in an emergency, which raises an alarm.',
          ),
        personClaim: z
          .string()
          .min(1)
          .max(128)
          .optional()
          .describe(
            'Claim, one of `identity.matchableClaims`, that all accounts of one person share; tokens without it neither propose nor approve.',
          ),
      })
      .prefault({}),
  })
  .prefault({});

export const policy = z.strictObject({
  table: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{3,255}$/, 'must be a DynamoDB table name')
    .describe('DynamoDB table with the role mappings.'),
  region: regionName.describe('Region of the table.'),
  endpoint: plainUrl.optional().describe('DynamoDB endpoint, where it is not the regional one.'),
  pollSeconds: z
    .number()
    .min(0.1)
    .max(5)
    .default(2)
    .describe('How often the table is asked for changes.'),
  reloadSeconds: z
    .int()
    .min(10)
    .max(86_400)
    .default(600)
    .describe('How often the whole table is read again.'),
  maxAgeSeconds: z
    .int()
    .min(60)
    .max(86_400)
    .default(14_400)
    .describe('How long the last good policy serves while the table cannot be reached.'),
  emergencyFile: path
    .optional()
    .describe(
      'File on this instance whose denies count whatever else is down; its folder must be there.',
    ),
  seal: z
    .strictObject({
      publicKeyFiles: distinctList(path)
        .min(1)
        .max(10)
        .describe('PEM files; the change log must be sealed by one of these keys.'),
      ...signingKey,
      anchor: z
        .strictObject({
          revision: z
            .int()
            .min(1)
            .describe('How far the table had come: later revisions must be sealed.'),
          chain: z
            .string()
            .regex(/^[A-Za-z0-9+/]{43}=$/, 'must be a SHA-256 in base64')
            .describe(
              'Digest of the change log up to there; no other log, and no earlier one, is taken.',
            ),
        })
        .optional()
        .describe('As `token-broker table anchor` prints it; default: the table was empty.'),
      name: z
        .string()
        .regex(/^[A-Za-z0-9_.-]{3,255}$/, 'must be a DynamoDB table name')
        .optional()
        .describe('Name of the table in its seals, where that is not its name any more.'),
      signTimeoutMs: z
        .int()
        .min(100)
        .max(10_000)
        .default(3000)
        .describe('An edit whose seal is not made by then is refused.'),
    })
    .optional(),
  snapshotFile: path.optional().describe('Where the last good policy is kept for the next start.'),
  acceptShrink: z
    .boolean()
    .default(false)
    .describe(
      'Take the table once as the first load finds it: shrunken, put back, or written around the API.',
    ),
});
