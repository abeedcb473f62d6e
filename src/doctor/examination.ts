/** What is examined: a configuration, its role mappings, and the account behind them. */

import type { Config } from '../config/schema.ts';
import { accountOf, roleArnPattern } from '../core/aws-names.ts';
import { roleKey } from '../core/policy/role-key.ts';
import type { RoleMapping } from '../core/policy/role-mapping.ts';
import type { Clock } from '../kit/timing/clock.ts';
import type { TrustSources } from '../web-identity/trust-policy.ts';
import type { AccountReader } from './account/account-reader.ts';
import { EndpointAnswers } from './endpoint-answers.ts';
import { type ProvenNeed, roleNeeds } from './role-needs.ts';
import type { SampleToken } from './sample-token.ts';

export interface ExaminationParts {
  readonly config: Config;
  /** All there are. */
  readonly mappings: readonly RoleMapping[];
  /** ARNs to look at; empty: every role that a mapping allows. */
  readonly roles: readonly string[];
  readonly sources: TrustSources;
  readonly token: SampleToken | undefined;
  /** One real exchange is asked for. */
  readonly tries: boolean;
  /** ARN of the role that the broker runs as. */
  readonly brokerRole: string | undefined;
  readonly account: AccountReader;
  readonly clock: Clock;
}

/** A role, and the enabled allows that name it. */
export interface ExaminedRole {
  readonly arn: string;
  readonly name: string;
  readonly accountId: string;
  readonly partition: string;
  readonly mappings: readonly RoleMapping[];
  /** What STS would be asked for them; one for each provider, audience and mapping. */
  readonly needs: readonly ProvenNeed[];
}

/** A provider that roles of an account need. */
export interface NeededProvider {
  readonly issuer: string;
  readonly arn: string;
  readonly accountId: string;
  readonly audiences: readonly string[];
  /** It is the broker itself. */
  readonly ofBroker: boolean;
}

export interface Examination extends ExaminationParts {
  readonly examined: readonly ExaminedRole[];
  readonly providers: readonly NeededProvider[];
  readonly answers: EndpointAnswers;
}

export function examinationOf(parts: ExaminationParts): Examination {
  const examined = examinedRoles(parts);
  return {
    ...parts,
    examined,
    providers: neededProviders(examined),
    answers: new EndpointAnswers(),
  };
}

function examinedRoles({ mappings, roles, sources }: ExaminationParts): readonly ExaminedRole[] {
  const allows = mappings.filter(({ effect, enabled }) => effect === 'allow' && enabled);
  const arns = roles.length > 0 ? roles : allows.map(({ role }) => role);
  const byKey = new Map(arns.map((arn) => [roleKey(arn), arn]));
  return [...byKey].map(([key, asked]) => {
    const ours = allows.filter(({ role }) => roleKey(role) === key);
    // The mapping's spelling is what the broker asks STS for.
    const arn = ours[0]?.role ?? asked;
    const [, partition = 'aws', , , name = ''] = roleArnPattern.exec(arn) ?? [];
    const role = { arn, name, partition, accountId: accountOf(arn), mappings: ours };
    return { ...role, needs: roleNeeds(role, sources) };
  });
}

function neededProviders(examined: readonly ExaminedRole[]): readonly NeededProvider[] {
  const byArn = new Map<string, NeededProvider>();
  for (const { accountId, needs } of examined) {
    for (const { issuer, providerArn: arn, audience, form } of needs) {
      const audiences = [...new Set([...(byArn.get(arn)?.audiences ?? []), audience])];
      byArn.set(arn, { issuer, arn, accountId, audiences, ofBroker: form === 'broker' });
    }
  }
  return [...byArn.values()];
}

export interface NeededIssuer {
  readonly issuer: string;
  readonly ofBroker: boolean;
}

/** Each once, however many accounts trust it. */
export function neededIssuers({ providers }: Examination): readonly NeededIssuer[] {
  const byIssuer = new Map(providers.map(({ issuer, ofBroker }) => [issuer, { issuer, ofBroker }]));
  return [...byIssuer.values()];
}
