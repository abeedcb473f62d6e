/**
 * What no administrator can pass, because configuration says it and not the table that administrators edit
 * (T20, T53). Denies take access away, so nothing here holds them back.
 */

import { escapePointer } from '../../kit/json/json-pointer.ts';
import { maxDurationSeconds, roleArnPattern } from '../aws-names.ts';
import type { Fault } from '../fault.ts';
import { remember } from '../remember.ts';
import { type ApprovalRule, noApproval } from './approval.ts';
import { iamName } from './role-key.ts';
import type { RoleMapping } from './role-mapping.ts';
import { roleNameMatcher } from './role-name-pattern.ts';

export interface Guardrails {
  /** Empty: any. */
  readonly allowedPartitions: readonly string[];
  /** Empty: any. */
  readonly allowedAccounts: readonly string[];
  /** Each begins and ends with a slash, as paths of IAM do. Empty: any. */
  readonly rolePathPrefixes: readonly string[];
  /** Whole names; `*` at either end stands for anything. */
  readonly forbiddenRoleNames: readonly string[];
  readonly maxSessionSeconds: number;
  readonly reservedTags: readonly ReservedTag[];
  /** Which edits wait for a second administrator. */
  readonly approval: ApprovalRule;
}

/** A session tag that means something to policies of the accounts: mappings give it this value or none. */
export interface ReservedTag {
  readonly key: string;
  /** Character for character as the mapping must have it, `${claim:…}` and all; undefined: none may set the tag. */
  readonly value?: string | undefined;
}

/** Where configuration says nothing: the roles that rule an organization or an account are nobody's to borrow. */
export const defaultGuardrails: Guardrails = {
  allowedPartitions: [],
  allowedAccounts: [],
  rolePathPrefixes: [],
  forbiddenRoleNames: [
    'OrganizationAccountAccessRole',
    'AWSControlTowerExecution',
    'AWSReservedSSO_*',
    'AWSServiceRole*',
    '*Admin*',
  ],
  maxSessionSeconds: maxDurationSeconds,
  reservedTags: [],
  approval: noApproval,
};

export function checkGuardrails(
  { effect, role, session }: RoleMapping,
  guardrails: Guardrails,
): Fault[] {
  if (effect === 'deny') return [];
  const faults: Fault[] = [
    ...roleFaults(role, guardrails).map((detail): Fault => ({ pointer: '/role', detail })),
    ...tagFaults(session, guardrails),
  ];
  const { maxSessionSeconds } = guardrails;
  if (session.maxDurationSeconds <= maxSessionSeconds) return faults;
  const detail = `must not exceed ${maxSessionSeconds}, the guardrails.maxSessionSeconds of the configuration`;
  return [...faults, { pointer: '/session/maxDurationSeconds', detail }];
}

function tagFaults({ tags }: RoleMapping['session'], { reservedTags }: Guardrails): Fault[] {
  if (tags === undefined) return [];
  return Object.entries(tags).flatMap(([key, value]): Fault[] => {
    const reserved = reservedTags.find((one) => one.key.toLowerCase() === key.toLowerCase());
    if (reserved === undefined || reserved.value === value) return [];
    const detail =
      reserved.value === undefined
        ? `is a tag that ${setting('reservedTags')} lets no mapping set`
        : `must be the value that ${setting('reservedTags')} has for this tag`;
    return [{ pointer: `/session/tags/${escapePointer(key)}`, detail }];
  });
}

function roleFaults(role: string, guardrails: Guardrails): string[] {
  const [, partition = '', account = '', path = '', name = ''] = roleArnPattern.exec(role) ?? [];
  // Not an ARN at all: the other checks refuse it.
  if (name === '') return [];
  const faults: string[] = [];
  const { allowedPartitions, allowedAccounts, rolePathPrefixes, forbiddenRoleNames } = guardrails;
  if (!allows(allowedPartitions, (allowed) => allowed === partition)) {
    faults.push(`is in a partition that ${setting('allowedPartitions')} does not list`);
  }
  if (!allows(allowedAccounts, (allowed) => allowed === account)) {
    faults.push(`is in an account that ${setting('allowedAccounts')} does not list`);
  }
  if (!allows(rolePathPrefixes, (prefix) => `/${path}`.startsWith(prefix))) {
    faults.push(`has a path that begins with none of ${setting('rolePathPrefixes')}`);
  }
  const sameName = iamName(name);
  if (matchersOf(forbiddenRoleNames).some((forbids) => forbids(sameName))) {
    faults.push(`has a name that ${setting('forbiddenRoleNames')} keeps out of role mappings`);
  }
  return faults;
}

const matchersOf = remember((patterns: readonly string[]) => patterns.map(roleNameMatcher));

function setting(name: keyof Guardrails): string {
  return `guardrails.${name} of the configuration`;
}

function allows(list: readonly string[], matches: (item: string) => boolean): boolean {
  return list.length === 0 || list.some(matches);
}
