/** The account that the doctor looks at, by service. */

import type { AwsEndpoint } from '../../aws/hermetic-settings.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import { Iam } from './iam.ts';
import { KmsKeys } from './kms-keys.ts';
import { OwnCredentials } from './own-credentials.ts';
import { Questions } from './questions.ts';
import { Tables } from './tables.ts';
import { UserPools } from './user-pools.ts';

export interface AccountReaderOptions {
  readonly clock: Clock;
  readonly iam: AwsEndpoint;
  readonly cognito: (region: string) => AwsEndpoint;
  readonly sts: AwsEndpoint;
  readonly dynamodb: AwsEndpoint;
}

export class AccountReader {
  readonly credentials: OwnCredentials;
  readonly iam: Iam;
  readonly userPools: UserPools;
  readonly tables: Tables;
  readonly kms: KmsKeys;
  readonly #questions: Questions;

  constructor({ clock, sts, iam, cognito, dynamodb }: AccountReaderOptions) {
    const questions = new Questions(clock);
    this.#questions = questions;
    this.credentials = new OwnCredentials(questions, sts);
    this.iam = new Iam({ questions, at: iam, credentials: this.credentials });
    this.userPools = new UserPools(questions, cognito);
    this.tables = new Tables(questions, dynamodb);
    this.kms = new KmsKeys(questions);
  }

  stop(): void {
    this.#questions.stop();
  }
}
