/** A trust policy with what the mappings need in the place of what stands there for their providers; the rest is kept. */

import type { TrustPolicy, TrustStatement } from '../iam-policy/trust-policy.ts';
import { statementVerdict } from '../iam-policy/trust-policy.ts';
import { isJsonObject, type JsonObject } from '../kit/json/json-object.ts';
import {
  type PolicyStatement,
  type TrustSources,
  trustPolicy,
} from '../web-identity/trust-policy.ts';
import { awsCommand, documentWord } from './commands.ts';
import type { ExaminedRole } from './examination.ts';
import { withOpenKeys } from './open-keys.ts';
import type { ProvenNeed } from './role-needs.ts';
import { type RoleTrust, statementName } from './role-trust.ts';

/** What else must not stay. */
export interface Unwanted {
  readonly providers: ReadonlySet<string>;
  readonly statements: ReadonlySet<TrustStatement>;
}

const nothing: Unwanted = { providers: new Set(), statements: new Set() };

/** Of a role that is there. */
export function trustCure(
  role: ExaminedRole,
  trust: RoleTrust,
  sources: TrustSources,
  unwanted: Unwanted = nothing,
): readonly string[] {
  const { kept, lifted } = keptStatements(role, trust, unwanted);
  const replaced = replacedStatements(role, trust.policy);
  const pinned = { ...sources, sourceVpce: sources.sourceVpce ?? pinnedVpce(replaced) };
  const ours = trustPolicy(role.arn, role.mappings, pinned).Statement;
  const lost = lostConditions(replaced, ours);
  const ids = new Set(ours.map(({ Sid }) => Sid));
  const others = kept.map(({ Sid, ...statement }) =>
    typeof Sid === 'string' && !ids.has(Sid) ? { Sid, ...statement } : statement,
  );
  const document = { ...trust.document, Version: '2012-10-17', Statement: [...others, ...ours] };
  return [
    `What follows keeps ${kept.length} of ${trust.policy.length} statements; token-broker trust-policy prints the others.`,
    ...(lost.length === 0
      ? []
      : [`It leaves out conditions on ${lost.join(', ')}: add them again if they are meant.`]),
    ...(unwanted.providers.size === 0
      ? []
      : [`It no longer trusts ${[...unwanted.providers].join(', ')}.`]),
    ...lifted.map(
      (sid) =>
        `It lifts a Deny that refuses these mappings, for them alone: ${sid}. Find out who put it there.`,
    ),
    awsCommand(
      ...['iam', 'update-assume-role-policy', '--role-name', role.name],
      ...['--policy-document', documentWord(document)],
    ),
  ];
}

/** Of a role that is not there yet. */
export function creationCure(role: ExaminedRole, sources: TrustSources): readonly string[] {
  const document = trustPolicy(role.arn, role.mappings, sources);
  const path = /:role(\/.*\/)/.exec(role.arn)?.[1];
  return [
    'Correct the mapping, or create the role and give it the permissions that it is for:',
    awsCommand(
      ...['iam', 'create-role', '--role-name', role.name],
      ...(path === undefined ? [] : ['--path', path]),
      ...['--assume-role-policy-document', documentWord(document)],
    ),
  ];
}

function keptStatements(role: ExaminedRole, { document, policy }: RoleTrust, unwanted: Unwanted) {
  const statements = [document['Statement']].flat();
  const used = new Set(role.needs.map(({ providerArn }) => providerArn));
  const providers = new Set([...used, ...unwanted.providers]);
  const kept: JsonObject[] = [];
  const lifted: string[] = [];
  for (const [index, parsed] of policy.entries()) {
    const statement = statements[index];
    if (!isJsonObject(statement)) continue;
    if (parsed.effect === 'Deny' && role.needs.some((need) => refuses(parsed, need, policy))) {
      lifted.push(statementName(parsed, index));
      kept.push(...forOthers(statement, parsed, used));
      continue;
    }
    const rest =
      parsed.effect === 'Deny'
        ? statement
        : withoutProviders(statement, parsed, providers, unwanted);
    if (rest !== undefined) kept.push(rest);
  }
  return { kept, lifted };
}

/** A Deny that spares the providers: whom else it keeps out it goes on keeping out (T365). */
function forOthers(
  statement: JsonObject,
  { federated, anyone, others }: TrustStatement,
  providers: ReadonlySet<string>,
): readonly JsonObject[] {
  const rest = federated.filter((arn) => !providers.has(arn));
  if (!anyone) {
    if (rest.length + others.length === 0) return [];
    return [{ ...statement, Principal: principalOf(statement, rest) }];
  }
  const { Condition } = statement;
  const conditions = isJsonObject(Condition) ? Condition : {};
  const spared = conditions[sparing];
  const tests = Object.entries(isJsonObject(spared) ? spared : {});
  const ofProvider = tests.filter(([key]) => key.toLowerCase() === providerKey.toLowerCase());
  const values = [...ofProvider.flatMap(([, value]) => value), ...providers];
  const rests = tests.filter((test) => !ofProvider.includes(test));
  const test = Object.fromEntries([...rests, [providerKey, [...new Set(values)]]]);
  return [{ ...statement, Condition: { ...conditions, [sparing]: test } }];
}

/** The key is absent where no provider vouches for the caller, and then a negated test holds. */
const providerKey = 'aws:FederatedProvider';
const sparing = 'StringNotEquals';

function refuses(
  statement: TrustStatement,
  { actions, request }: ProvenNeed,
  policy: TrustPolicy,
): boolean {
  const asked = withOpenKeys(policy, request);
  return actions.some((action) => statementVerdict(statement, { ...asked, action }) === 'match');
}

/** Undefined where nothing is left that it is about. */
function withoutProviders(
  statement: JsonObject,
  parsed: TrustStatement,
  providers: ReadonlySet<string>,
  { statements }: Unwanted,
): JsonObject | undefined {
  const { federated, others, anyone, conditions } = parsed;
  // Everybody, whatever the circumstances, is nobody that should be kept.
  if (statements.has(parsed) || (anyone && conditions.length === 0)) return undefined;
  const rest = federated.filter((arn) => !providers.has(arn));
  if (rest.length === federated.length) return statement;
  if (rest.length + others.length === 0) return undefined;
  return { ...statement, Principal: principalOf(statement, rest) };
}

/** The principals of a statement, with those providers in the place of all that it has. */
function principalOf({ Principal }: JsonObject, federated: readonly string[]): JsonObject {
  const { Federated: _all, ...kinds } = isJsonObject(Principal) ? Principal : {};
  return federated.length === 0 ? kinds : { ...kinds, Federated: federated };
}

/** Those that let in the providers of the mappings now. */
function replacedStatements({ needs }: ExaminedRole, policy: TrustPolicy): TrustPolicy {
  const providers = new Set(needs.map(({ providerArn }) => providerArn));
  return policy.filter(
    ({ effect, federated }) => effect === 'Allow' && federated.some((arn) => providers.has(arn)),
  );
}

/** The VPC endpoint that they are pinned to, if it is one. */
function pinnedVpce(replaced: TrustPolicy): string | undefined {
  const pins = replaced.flatMap(({ conditions }) =>
    conditions
      .filter(({ key, name }) => key === 'aws:sourcevpce' && name === 'StringEquals')
      .flatMap(({ values }) => values),
  );
  const [only, ...others] = new Set(pins);
  return others.length === 0 ? only : undefined;
}

/** Keys that they tested and their successors do not: somebody may have meant them. */
function lostConditions(
  replaced: TrustPolicy,
  ours: readonly PolicyStatement[],
): readonly string[] {
  const kept = new Set(
    ours.flatMap(({ Condition }) =>
      Object.values(Condition).flatMap((keys) => Object.keys(keys).map((key) => key.toLowerCase())),
    ),
  );
  const tested = replaced.flatMap(({ conditions }) => conditions.map(({ key }) => key));
  return [...new Set(tested)].filter((key) => !kept.has(key));
}
