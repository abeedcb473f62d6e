/** What a role mapping says of its sessions, and the schema that it must pass. */

import { z } from 'zod';
import { maxDurationSeconds, minDurationSeconds, policyArnPattern } from '../aws-names.ts';
import { maxTags } from './attribution.ts';

export const maxPolicyArns = 10;
const policyArn = z
  .string()
  .min(20)
  .max(2048)
  .regex(policyArnPattern, 'must be the ARN of one managed policy');

const durationSeconds = z.int().min(minDurationSeconds).max(maxDurationSeconds);

/** `caller`: the token that the caller brought. `broker`: one that this broker issues for the one exchange. */
export const identityForms = ['caller', 'broker'] as const;
export type IdentityForm = (typeof identityForms)[number];

/** A tag of the greatest length around the name of a claim. */
const maxTemplateLength = 512;

export const maxNameLength = 128;

export const sessionSchema = z.strictObject({
  durationSeconds: durationSeconds.default(3600),
  maxDurationSeconds: durationSeconds.default(3600),
  name: z.string().min(1).max(maxNameLength).default('{sub}'),
  policy: z.record(z.string(), z.unknown()).optional(),
  policyArns: z.array(policyArn).max(maxPolicyArns).default([]),
  /** Absent unless written: brokers that do not know it must be able to read every row that does not need it. */
  callerPolicy: z.boolean().optional(),
  /** Neither are these. Which web identity token STS is shown; without it, what the configuration says. */
  identity: z.enum(identityForms).optional(),
  /** This and the rest only a token that the broker issued can carry: attribution.ts has the rules. */
  tags: z.record(z.string(), z.string().max(maxTemplateLength)).optional(),
  transitiveTags: z.array(z.string()).max(maxTags).optional(),
  sourceIdentity: z.string().max(maxTemplateLength).optional(),
});

export type SessionSettings = z.output<typeof sessionSchema>;

/** Of a role mapping, what its sessions are planned by. */
export interface SessionSource {
  readonly mapping: {
    readonly id: string;
    readonly role: string;
    readonly session: SessionSettings;
  };
  readonly version: number;
}
