/**
 * A session policy that a caller brings. It is held to the grammar of the policies in role mappings, but for
 * claims, which stand for values that only the mapping's owner may put into a policy. What is wrong with it is
 * told without repeating any of it.
 */

import { isJsonObject } from '../../kit/json/json-object.ts';
import type { JsonPointer } from '../../kit/json/json-pointer.ts';
import { parseStrictJson, StrictJsonError } from '../../kit/json/strict-json.ts';
import { partitionOf, policyArnPattern, roleArnPattern } from '../aws-names.ts';
import type { Fault } from '../fault.ts';
import { checkSessionPolicy } from './policy-grammar/document.ts';
import { referencedClaims, sessionPolicyBudget } from './session-policy.ts';
import { maxPolicyArns } from './session-settings.ts';

export type CallerPolicy =
  | {
      readonly kind: 'valid';
      /** Minified. */
      readonly policy: string | undefined;
      /** Each once, in one order: neither means anything to STS, and equal sessions are shared. */
      readonly policyArns: readonly string[];
    }
  | { readonly kind: 'invalid'; readonly faults: readonly Fault[] };

/** Room for white space; what counts is the minified text. */
const maxTextLength = 4 * sessionPolicyBudget;
const jsonLimits = { maxDepth: 16, maxKeys: 1000, numbers: 'as_written' } as const;
const maxFaults = 20;

/** Pointers of faults begin with `/policy` or `/policyArns`. */
export function readCallerPolicy(
  policy: string | undefined,
  policyArns: readonly string[],
  roleArn: string,
): CallerPolicy {
  const { text, faults } =
    policy === undefined ? noPolicy : readPolicy(policy, partitionOf(roleArn));
  const allFaults = [...faults, ...checkArns(policyArns, roleArn)].slice(0, maxFaults);
  if (allFaults.length > 0) return { kind: 'invalid', faults: allFaults };
  const arns = [...new Set(policyArns)].sort((a, b) => (a < b ? -1 : 1));
  const length = (text?.length ?? 0) + arns.join('').length;
  if (length <= sessionPolicyBudget) return { kind: 'valid', policy: text, policyArns: arns };
  const pointer = policy === undefined ? '/policyArns' : '/policy';
  const detail = `has ${length} characters, minified and with the policy ARNs; STS takes ${sessionPolicyBudget}`;
  return { kind: 'invalid', faults: [{ pointer, detail }] };
}

interface ReadPolicy {
  readonly text: string | undefined;
  readonly faults: readonly Fault[];
}

const noPolicy: ReadPolicy = { text: undefined, faults: [] };

function readPolicy(policy: string, partition: string | undefined): ReadPolicy {
  if (policy.length > maxTextLength) return faultyPolicy('is too large');
  let document: unknown;
  try {
    document = parseStrictJson(new TextEncoder().encode(policy), jsonLimits);
  } catch (error) {
    if (error instanceof StrictJsonError) return faultyPolicy(error.message);
    throw error;
  }
  if (!isJsonObject(document)) return faultyPolicy('must be a JSON object');
  const faults = checkSessionPolicy(document, partition).map(
    ({ pointer, detail }): Fault => ({
      pointer: `/policy${knownPart(pointer)}`,
      detail,
    }),
  );
  if (referencedClaims(document).size > 0) {
    faults.push({ pointer: '/policy', detail: 'may not refer to claims' });
  }
  return { text: JSON.stringify(document), faults };
}

function faultyPolicy(detail: string): ReadPolicy {
  return { text: undefined, faults: [{ pointer: '/policy', detail }] };
}

/** Names that are not of the grammar are the caller's own words. */
function knownPart(pointer: JsonPointer): JsonPointer {
  return (knownSteps.exec(pointer)?.[0] ?? '') as JsonPointer;
}

const knownSteps =
  /^(?:\/(?:Version|Id|Statement|Sid|Effect|(?:Not)?Action|(?:Not)?Resource|Condition|\d{1,4})(?=\/|$))*/;

/** STS wants them to be in the account of the role, or AWS's own. */
function checkArns(policyArns: readonly string[], roleArn: string): Fault[] {
  if (policyArns.length > maxPolicyArns) {
    return [{ pointer: '/policyArns', detail: `may be ${maxPolicyArns} at most` }];
  }
  const [, partition, account] = roleArnPattern.exec(roleArn) ?? [];
  return policyArns.flatMap((arn, index) => {
    const [, ownPartition, owner] = policyArnPattern.exec(arn) ?? [];
    const usable = ownPartition === partition && (owner === 'aws' || owner === account);
    if (owner !== undefined && usable) return [];
    const detail =
      owner === undefined
        ? 'must be the ARN of one managed policy'
        : 'must be a policy of AWS, or of the account of the role';
    return [{ pointer: `/policyArns/${index}`, detail }];
  });
}
