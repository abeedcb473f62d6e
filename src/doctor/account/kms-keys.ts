/** Keys, as KMS has them: each where it is. */

import { type AwsEndpoint, hermeticSettings } from '../../aws/hermetic-settings.ts';
import type { JsonObject } from '../../kit/json/json-object.ts';
import type { Reading } from '../finding.ts';
import { clientLimits, givenText, jsonDocument, type Questions } from './questions.ts';

export interface KeyFacts {
  readonly arn: string;
  readonly spec: string;
  readonly usage: string;
  readonly state: string;
}

export class KmsKeys {
  readonly #questions: Questions;

  constructor(questions: Questions) {
    this.#questions = questions;
  }

  key(keyId: string, at: AwsEndpoint): Promise<Reading<KeyFacts>> {
    return this.#questions.ask('kms:DescribeKey', keyName(keyId, at), async (abortSignal) => {
      const { DescribeKeyCommand } = await import('@aws-sdk/client-kms');
      const client = await this.#client(at);
      const asked = new DescribeKeyCommand({ KeyId: keyId });
      const { KeyMetadata } = await client.send(asked, { abortSignal });
      return {
        arn: givenText(KeyMetadata?.Arn),
        spec: givenText(KeyMetadata?.KeySpec),
        usage: givenText(KeyMetadata?.KeyUsage),
        state: givenText(KeyMetadata?.KeyState),
      };
    });
  }

  /** An alias has no policy: ask with the ARN of the key. */
  keyPolicy(arn: string, at: AwsEndpoint): Promise<Reading<JsonObject>> {
    return this.#questions.ask('kms:GetKeyPolicy', keyName(arn, at), async (abortSignal) => {
      const { GetKeyPolicyCommand } = await import('@aws-sdk/client-kms');
      const client = await this.#client(at);
      const { Policy } = await client.send(new GetKeyPolicyCommand({ KeyId: arn }), {
        abortSignal,
      });
      return jsonDocument(givenText(Policy));
    });
  }

  #client(at: AwsEndpoint) {
    return this.#questions.client(`kms ${at.region} ${at.endpoint}`, async () => {
      const { KMSClient } = await import('@aws-sdk/client-kms');
      return new KMSClient({ ...hermeticSettings(at), ...clientLimits });
    });
  }
}

function keyName(keyId: string, { region, endpoint = '' }: AwsEndpoint): string {
  return [keyId, region, endpoint].join(' ');
}
