/**
 * A document of the form in which the table has nearly every mapping: with all members that have defaults, and none of those
 * that are rare. It is read in a tenth of the time that the schema takes. What is not of this form the schema judges:
 * nothing is refused here, and what is taken is what the schema makes of it.
 */

import { isJsonObject, type JsonObject } from '../../kit/json/json-object.ts';
import { maxDurationSeconds as longest, minDurationSeconds, roleArnPattern } from '../aws-names.ts';
import { asciiNamePattern, isNormalized } from '../exact-text.ts';
import { maxNameLength, sessionSchema } from '../session/session-settings.ts';
import { conditionsSchema } from './conditions/conditions.ts';
import {
  groupNamePattern,
  issuerNamePattern,
  mappingIdPattern,
  maxArnLength,
  maxDescriptionLength,
  maxPrecedence,
  ownerPattern,
  type Principal,
  type RoleMapping,
} from './role-mapping.ts';

const memberCount = 11;

/** Undefined: it is not of the usual form, and may be good all the same. `document` is what a JSON parser gave. */
export function usualMapping(document: unknown): RoleMapping | undefined {
  if (!isJsonObject(document) || Object.keys(document).length !== memberCount) return undefined;
  const { id, description, effect, role, precedence, owner, managedBy, enabled } = document;
  const principal = usualPrincipal(document['principal']);
  const conditions = usualConditions(document['conditions']);
  const session = usualSession(document['session']);
  const good =
    principal !== undefined &&
    conditions !== undefined &&
    session !== undefined &&
    matches(id, mappingIdPattern) &&
    isText(description, 0, maxDescriptionLength) &&
    (effect === 'allow' || effect === 'deny') &&
    isText(role, 0, maxArnLength) &&
    roleArnPattern.test(role) &&
    isWhole(precedence, 0, maxPrecedence) &&
    matches(owner, ownerPattern) &&
    (managedBy === 'git' || managedBy === 'api') &&
    typeof enabled === 'boolean';
  return good
    ? {
        id,
        description,
        principal,
        effect,
        role,
        conditions,
        session,
        precedence,
        owner,
        managedBy,
        enabled,
      }
    : undefined;
}

function usualPrincipal(value: unknown): Principal | undefined {
  if (!isJsonObject(value) || Object.keys(value).length !== 2) return undefined;
  const { pool, client, user, group } = value;
  if (!matches(pool, issuerNamePattern)) return undefined;
  if (matches(client, asciiNamePattern)) return { pool, client };
  if (matches(user, asciiNamePattern)) return { pool, user };
  return matches(group, groupNamePattern) && isNormalized(group) ? { pool, group } : undefined;
}

const maxScopes = 50;

function usualConditions(value: unknown): RoleMapping['conditions'] | undefined {
  if (!isJsonObject(value)) return undefined;
  const names = Object.keys(value);
  if (names.length === 0) return {};
  const { scopes } = value;
  if (names.length === 1 && Array.isArray(scopes)) {
    const few = scopes.length > 0 && scopes.length <= maxScopes;
    const all = scopes as readonly unknown[];
    if (few && all.every((scope): scope is string => matches(scope, asciiNamePattern))) {
      return { scopes: [...all] };
    }
  }
  return conditionsSchema.safeParse(value).data;
}

function usualSession(value: unknown): RoleMapping['session'] | undefined {
  if (!isJsonObject(value)) return undefined;
  const { durationSeconds, maxDurationSeconds, name, policy, policyArns } = value;
  const members = Object.keys(value).length;
  const usual =
    Array.isArray(policyArns) &&
    policyArns.length === 0 &&
    members === (policy === undefined ? 4 : 5) &&
    (policy === undefined || isPlain(policy)) &&
    isDuration(durationSeconds) &&
    isDuration(maxDurationSeconds) &&
    isText(name, 1, maxNameLength);
  if (!usual) return sessionSchema.safeParse(value).data;
  return policy === undefined
    ? { durationSeconds, maxDurationSeconds, name, policyArns: [] }
    : { durationSeconds, maxDurationSeconds, name, policy: { ...policy }, policyArns: [] };
}

function isPlain(value: unknown): value is JsonObject {
  return isJsonObject(value) && Object.getPrototypeOf(value) === Object.prototype;
}

function isDuration(value: unknown): value is number {
  return isWhole(value, minDurationSeconds, longest);
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function isText(value: unknown, shortest: number, longest: number): value is string {
  return typeof value === 'string' && value.length >= shortest && value.length <= longest;
}

function matches(value: unknown, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value);
}
