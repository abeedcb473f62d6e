/** Roles, their policies and OIDC providers, as IAM has them. */

import { type AwsEndpoint, hermeticSettings } from '../../aws/hermetic-settings.ts';
import { accountOf } from '../../core/aws-names.ts';
import { roleKey } from '../../core/policy/role-key.ts';
import type { JsonObject } from '../../kit/json/json-object.ts';
import type { Reading } from '../finding.ts';
import type { OwnCredentials } from './own-credentials.ts';
import { clientLimits, given, jsonDocument, OddAnswer, type Questions } from './questions.ts';

export interface RoleFacts {
  readonly trustDocument: JsonObject;
  readonly maxSessionSeconds: number;
  readonly permissionsBoundary: string | undefined;
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
    return this.#questions.ask('iam:ListOpenIDConnectProviders', '', async (abortSignal) => {
      const { ListOpenIDConnectProvidersCommand } = await import('@aws-sdk/client-iam');
      const client = await this.#client();
      const answer = await client.send(new ListOpenIDConnectProvidersCommand({}), { abortSignal });
      return (answer.OpenIDConnectProviderList ?? []).map(({ Arn }) => given(Arn));
    });
  }

  async provider(arn: string): Promise<Reading<ProviderFacts>> {
    const elsewhere = await this.#credentials.elsewhere(accountOf(arn));
    if (elsewhere !== undefined) return elsewhere;
    return await this.#questions.ask('iam:GetOpenIDConnectProvider', arn, async (abortSignal) => {
      const { GetOpenIDConnectProviderCommand } = await import('@aws-sdk/client-iam');
      const client = await this.#client();
      const asked = new GetOpenIDConnectProviderCommand({ OpenIDConnectProviderArn: arn });
      const answer = await client.send(asked, { abortSignal });
      return { url: given(answer.Url), clientIds: answer.ClientIDList ?? [] };
    });
  }

  /** Of this ARN, and not of a namesake in the account of the credentials. */
  async role(arn: string, name: string): Promise<Reading<RoleFacts>> {
    const elsewhere = await this.#credentials.elsewhere(accountOf(arn));
    if (elsewhere !== undefined) return elsewhere;
    return await this.#questions.ask('iam:GetRole', arn, async (abortSignal) => {
      const { GetRoleCommand } = await import('@aws-sdk/client-iam');
      const client = await this.#client();
      const { Role } = await client.send(new GetRoleCommand({ RoleName: name }), { abortSignal });
      const role = given(Role);
      if (roleKey(given(role.Arn)) !== roleKey(arn)) {
        throw new OddAnswer('the answer is about a role of another account');
      }
      return {
        trustDocument: policyDocument(role.AssumeRolePolicyDocument),
        maxSessionSeconds: role.MaxSessionDuration ?? 3600,
        permissionsBoundary: role.PermissionsBoundary?.PermissionsBoundaryArn,
      };
    });
  }

  inlinePolicies(roleName: string): Promise<Reading<readonly string[]>> {
    return this.#questions.ask('iam:ListRolePolicies', roleName, async (abortSignal) => {
      const { ListRolePoliciesCommand } = await import('@aws-sdk/client-iam');
      const client = await this.#client();
      const asked = new ListRolePoliciesCommand({ RoleName: roleName });
      const { PolicyNames, IsTruncated } = await client.send(asked, { abortSignal });
      if (IsTruncated === true) throw new OddAnswer('the role has more policies than one answer');
      return PolicyNames ?? [];
    });
  }

  inlinePolicy(roleName: string, policy: string): Promise<Reading<JsonObject>> {
    return this.#questions.ask(
      'iam:GetRolePolicy',
      `${roleName} ${policy}`,
      async (abortSignal) => {
        const { GetRolePolicyCommand } = await import('@aws-sdk/client-iam');
        const client = await this.#client();
        const asked = new GetRolePolicyCommand({ RoleName: roleName, PolicyName: policy });
        const answer = await client.send(asked, { abortSignal });
        return policyDocument(answer.PolicyDocument);
      },
    );
  }

  attachedPolicies(roleName: string): Promise<Reading<readonly string[]>> {
    return this.#questions.ask('iam:ListAttachedRolePolicies', roleName, async (abortSignal) => {
      const { ListAttachedRolePoliciesCommand } = await import('@aws-sdk/client-iam');
      const client = await this.#client();
      const asked = new ListAttachedRolePoliciesCommand({ RoleName: roleName });
      const { AttachedPolicies, IsTruncated } = await client.send(asked, { abortSignal });
      if (IsTruncated === true) throw new OddAnswer('the role has more policies than one answer');
      return (AttachedPolicies ?? []).map(({ PolicyArn }) => given(PolicyArn));
    });
  }

  managedPolicyVersion(arn: string): Promise<Reading<string>> {
    return this.#questions.ask('iam:GetPolicy', arn, async (abortSignal) => {
      const { GetPolicyCommand } = await import('@aws-sdk/client-iam');
      const client = await this.#client();
      const { Policy } = await client.send(new GetPolicyCommand({ PolicyArn: arn }), {
        abortSignal,
      });
      return given(Policy?.DefaultVersionId);
    });
  }

  managedPolicy(arn: string, version: string): Promise<Reading<JsonObject>> {
    return this.#questions.ask('iam:GetPolicyVersion', `${arn} ${version}`, async (abortSignal) => {
      const { GetPolicyVersionCommand } = await import('@aws-sdk/client-iam');
      const client = await this.#client();
      const asked = new GetPolicyVersionCommand({ PolicyArn: arn, VersionId: version });
      const { PolicyVersion } = await client.send(asked, { abortSignal });
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
    return this.#questions.ask('iam:SimulatePrincipalPolicy', what, async (abortSignal) => {
      const { SimulatePrincipalPolicyCommand } = await import('@aws-sdk/client-iam');
      const client = await this.#client();
      const asked = new SimulatePrincipalPolicyCommand({
        PolicySourceArn: principal,
        ActionNames: [...actions],
        ResourceArns: [resource],
      });
      const { EvaluationResults = [] } = await client.send(asked, { abortSignal });
      return new Map(
        EvaluationResults.map(({ EvalActionName, EvalDecision }) => [
          given(EvalActionName),
          EvalDecision === 'allowed',
        ]),
      );
    });
  }

  #client() {
    return this.#questions.client('iam', async () => {
      const { IAMClient } = await import('@aws-sdk/client-iam');
      return new IAMClient({ ...hermeticSettings(this.#at), ...clientLimits });
    });
  }
}

/** IAM answers with documents in percent encoding (RFC 3986). */
function policyDocument(encoded: string | undefined): JsonObject {
  let decoded: string;
  try {
    decoded = decodeURIComponent(given(encoded));
  } catch {
    throw new OddAnswer('the policy document cannot be decoded');
  }
  return jsonDocument(decoded);
}
