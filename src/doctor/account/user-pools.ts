/** User pools, as Cognito has them. */

import { type AwsEndpoint, hermeticSettings } from '../../aws/hermetic-settings.ts';
import type { Reading } from '../finding.ts';
import { clientLimits, type Questions } from './questions.ts';

export interface UserPoolFacts {
  /** LITE, ESSENTIALS or PLUS; undefined if the answer does not say. */
  readonly plan: string | undefined;
  /** V1_0, V2_0 or V3_0; undefined without a trigger. */
  readonly triggerVersion: string | undefined;
}

export class UserPools {
  readonly #questions: Questions;
  readonly #at: (region: string) => AwsEndpoint;

  constructor(questions: Questions, at: (region: string) => AwsEndpoint) {
    this.#questions = questions;
    this.#at = at;
  }

  userPool(id: string): Promise<Reading<UserPoolFacts>> {
    return this.#questions.ask('cognito-idp:DescribeUserPool', id, async (abortSignal) => {
      const { DescribeUserPoolCommand } = await import('@aws-sdk/client-cognito-identity-provider');
      const client = await this.#client(id.split('_', 1)[0] ?? '');
      const asked = new DescribeUserPoolCommand({ UserPoolId: id });
      const { UserPool } = await client.send(asked, { abortSignal });
      const { PreTokenGenerationConfig, PreTokenGeneration } = UserPool?.LambdaConfig ?? {};
      return {
        plan: UserPool?.UserPoolTier,
        triggerVersion:
          PreTokenGenerationConfig?.LambdaVersion ?? (PreTokenGeneration ? 'V1_0' : undefined),
      };
    });
  }

  #client(region: string) {
    return this.#questions.client(`cognito ${region}`, async () => {
      const { CognitoIdentityProviderClient } = await import(
        '@aws-sdk/client-cognito-identity-provider'
      );
      const at = this.#at(region);
      return new CognitoIdentityProviderClient({ ...hermeticSettings(at), ...clientLimits });
    });
  }
}
