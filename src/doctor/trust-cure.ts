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
import type { ProvenNeed } from './role-needs.ts';
import { type RoleTrust, statementName } from './role-trust.ts';

/** Of a role that is there. */
export function trustCure(
  role: ExaminedRole,
  trust: RoleTrust,
  sources: TrustSources,
): readonly string[] {
  const { kept, dropped } = keptStatements(role, trust);
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
    ...dropped.map(
      (sid) =>
        `It leaves out a Deny that refuses these mappings: ${sid}. Find out who put it there.`,
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

function keptStatements(role: ExaminedRole, { document, policy }: RoleTrust) {
  const statements = [document['Statement']].flat();
  const providers = new Set(role.needs.map(({ providerArn }) => providerArn));
  const kept: JsonObject[] = [];
  const dropped: string[] = [];
  for (const [index, parsed] of policy.entries()) {
    const statement = statements[index];
    if (!isJsonObject(statement)) continue;
    if (parsed.effect === 'Deny') {
      if (role.needs.some((need) => refuses(parsed, need)))
        dropped.push(statementName(parsed, index));
      else kept.push(statement);
      continue;
    }
    const rest = withoutProviders(statement, parsed, providers);
    if (rest !== undefined) kept.push(rest);
  }
  return { kept, dropped };
}

function refuses(statement: TrustStatement, { actions, request }: ProvenNeed): boolean {
  return actions.some((action) => statementVerdict(statement, { ...request, action }) === 'match');
}

/** Undefined where nothing is left that it is about. */
function withoutProviders(
  statement: JsonObject,
  { federated, others, anyone, conditions }: TrustStatement,
  providers: ReadonlySet<string>,
): JsonObject | undefined {
  // Everybody, whatever the circumstances, is nobody that should be kept.
  if (anyone && conditions.length === 0) return undefined;
  const rest = federated.filter((arn) => !providers.has(arn));
  if (rest.length === federated.length) return statement;
  if (rest.length + others.length === 0) return undefined;
  const principal = isJsonObject(statement['Principal']) ? statement['Principal'] : {};
  const { Federated: _ours, ...kinds } = principal;
  return {
    ...statement,
    Principal: rest.length === 0 ? kinds : { ...kinds, Federated: rest },
  };
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
