/** Roles, their policies and OIDC providers, as IAM has them. */

import type { IAMClient } from '@aws-sdk/client-iam';
import { type AwsEndpoint, hermeticSettings } from '../../aws/hermetic-settings.ts';
import { accountOf } from '../../core/aws-names.ts';
import { roleKey } from '../../core/policy/role-key.ts';
import type { JsonObject } from '../../kit/json/json-object.ts';
import type { Reading } from '../finding.ts';
import type { OwnCredentials } from './own-credentials.ts';
import {
  clientLimits,
  given,
  givenText,
  jsonDocument,
  OddAnswer,
  type Questions,
} from './questions.ts';

export interface RoleFacts {
  readonly trustDocument: JsonObject;
  readonly maxSessionSeconds: number;
}

export interface ProviderFacts {
  /** As IAM has it, without a scheme. */
  readonly url: string;
  readonly clientIds: readonly string[];
}

export interface IamOptions {
  readonly questions: Questions;
  readonly at: AwsEndpoint;
  readonly credentials: OwnCredentials;
}

type IamSdk = typeof import('@aws-sdk/client-iam');
type Abortable = { readonly abortSignal: AbortSignal };

export class Iam {
  readonly #questions: Questions;
  readonly #at: AwsEndpoint;
  readonly #credentials: OwnCredentials;

  constructor({ questions, at, credentials }: IamOptions) {
    this.#questions = questions;
    this.#at = at;
    this.#credentials = credentials;
  }

  providers(): Promise<Reading<readonly string[]>> {
    return this.#ask('iam:ListOpenIDConnectProviders', '', async (iam, client, options) => {
      const answer = await client.send(new iam.ListOpenIDConnectProvidersCommand({}), options);
      return (answer.OpenIDConnectProviderList ?? []).map(({ Arn }) => givenText(Arn));
    });
  }

  async provider(arn: string): Promise<Reading<ProviderFacts>> {
    const elsewhere = await this.#credentials.elsewhere(accountOf(arn));
    if (elsewhere !== undefined) return elsewhere;
    return await this.#ask('iam:GetOpenIDConnectProvider', arn, async (iam, client, options) => {
      const asked = new iam.GetOpenIDConnectProviderCommand({ OpenIDConnectProviderArn: arn });
      const answer = await client.send(asked, options);
      return { url: givenText(answer.Url), clientIds: answer.ClientIDList ?? [] };
    });
  }

  /** Of this ARN, and not of a namesake in the account of the credentials. */
  async role(arn: string, name: string): Promise<Reading<RoleFacts>> {
    const elsewhere = await this.#credentials.elsewhere(accountOf(arn));
    if (elsewhere !== undefined) return elsewhere;
    return await this.#ask('iam:GetRole', arn, async (iam, client, options) => {
      const { Role } = await client.send(new iam.GetRoleCommand({ RoleName: name }), options);
      const role = given(Role);
      if (roleKey(givenText(role.Arn)) !== roleKey(arn)) {
        throw new OddAnswer('the answer is about a role of another account');
      }
      return {
        trustDocument: policyDocument(role.AssumeRolePolicyDocument),
        maxSessionSeconds: role.MaxSessionDuration ?? 3600,
      };
    });
  }

  inlinePolicies(roleName: string): Promise<Reading<readonly string[]>> {
    return this.#ask('iam:ListRolePolicies', roleName, async (iam, client, options) => {
      const asked = new iam.ListRolePoliciesCommand({ RoleName: roleName });
      const { PolicyNames, IsTruncated } = await client.send(asked, options);
      if (IsTruncated === true) throw new OddAnswer('the role has more policies than one answer');
      return PolicyNames ?? [];
    });
  }

  inlinePolicy(roleName: string, policy: string): Promise<Reading<JsonObject>> {
    return this.#ask('iam:GetRolePolicy', `${roleName} ${policy}`, async (iam, client, options) => {
      const asked = new iam.GetRolePolicyCommand({ RoleName: roleName, PolicyName: policy });
      const answer = await client.send(asked, options);
      return policyDocument(answer.PolicyDocument);
    });
  }

  attachedPolicies(roleName: string): Promise<Reading<readonly string[]>> {
    return this.#ask('iam:ListAttachedRolePolicies', roleName, async (iam, client, options) => {
      const asked = new iam.ListAttachedRolePoliciesCommand({ RoleName: roleName });
      const { AttachedPolicies, IsTruncated } = await client.send(asked, options);
      if (IsTruncated === true) throw new OddAnswer('the role has more policies than one answer');
      return (AttachedPolicies ?? []).map(({ PolicyArn }) => givenText(PolicyArn));
    });
  }

  managedPolicyVersion(arn: string): Promise<Reading<string>> {
    return this.#ask('iam:GetPolicy', arn, async (iam, client, options) => {
      const { Policy } = await client.send(new iam.GetPolicyCommand({ PolicyArn: arn }), options);
      return givenText(Policy?.DefaultVersionId);
    });
  }

  managedPolicy(arn: string, version: string): Promise<Reading<JsonObject>> {
    return this.#ask('iam:GetPolicyVersion', `${arn} ${version}`, async (iam, client, options) => {
      const asked = new iam.GetPolicyVersionCommand({ PolicyArn: arn, VersionId: version });
      const { PolicyVersion } = await client.send(asked, options);
      return policyDocument(PolicyVersion?.Document);
    });
  }

  /** By action: whether the identity policies of that principal allow it on the resource. */
  simulated(
    principal: string,
    actions: readonly string[],
    resource: string,
  ): Promise<Reading<ReadonlyMap<string, boolean>>> {
    const what = [principal, resource, ...actions].join(' ');
    return this.#ask('iam:SimulatePrincipalPolicy', what, async (iam, client, options) => {
      const asked = new iam.SimulatePrincipalPolicyCommand({
        PolicySourceArn: principal,
        ActionNames: [...actions],
        ResourceArns: [resource],
      });
      const { EvaluationResults = [] } = await client.send(asked, options);
      return new Map(
        EvaluationResults.map(({ EvalActionName, EvalDecision }) => [
          givenText(EvalActionName),
          EvalDecision === 'allowed',
        ]),
      );
    });
  }

  #ask<Value>(
    action: `iam:${string}`,
    what: string,
    call: (iam: IamSdk, client: IAMClient, options: Abortable) => Promise<Value>,
  ): Promise<Reading<Value>> {
    return this.#questions.ask(action, what, async (abortSignal) => {
      const iam = await import('@aws-sdk/client-iam');
      const settings = { ...hermeticSettings(this.#at), ...clientLimits };
      const client = await this.#questions.client('iam', async () => new iam.IAMClient(settings));
      return await call(iam, client, { abortSignal });
    });
  }
}

/** IAM answers with documents in percent encoding (RFC 3986). */
function policyDocument(encoded: string | undefined): JsonObject {
  let decoded: string;
  try {
    decoded = decodeURIComponent(givenText(encoded));
  } catch {
    throw new OddAnswer('the policy document cannot be decoded');
  }
  return jsonDocument(decoded);
}
