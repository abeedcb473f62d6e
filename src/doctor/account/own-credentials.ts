/** Whose credentials the doctor was started with: what is of another account cannot be looked at with them. */

import { type AwsEndpoint, hermeticSettings } from '../../aws/hermetic-settings.ts';
import type { Reading, Unread } from '../finding.ts';
import { clientLimits, givenText, type Questions } from './questions.ts';

export interface Identity {
  readonly accountId: string;
  readonly arn: string;
}

export class OwnCredentials {
  readonly #questions: Questions;
  readonly #at: AwsEndpoint;

  constructor(questions: Questions, at: AwsEndpoint) {
    this.#questions = questions;
    this.#at = at;
  }

  identity(): Promise<Reading<Identity>> {
    return this.#questions.ask('sts:GetCallerIdentity', '', async (abortSignal) => {
      const { GetCallerIdentityCommand } = await import('@aws-sdk/client-sts');
      const client = await this.#client();
      const answer = await client.send(new GetCallerIdentityCommand({}), { abortSignal });
      return { accountId: givenText(answer.Account), arn: givenText(answer.Arn) };
    });
  }

  /** Undefined if the credentials are of that account, or nobody knows of which they are. */
  async elsewhere(accountId: string): Promise<Unread | undefined> {
    const identity = await this.identity();
    if (identity.kind !== 'read' || identity.value.accountId === accountId) return undefined;
    return {
      kind: 'unread',
      why: `it is in account ${accountId}, and your credentials are of account ${identity.value.accountId}: run it with credentials of that one, too`,
    };
  }

  /** Undefined if the credentials are of that account: for what is asked for by a name, which other accounts have as well. */
  async notOf(accountId: string): Promise<Unread | undefined> {
    const identity = await this.identity();
    if (identity.kind === 'read') return await this.elsewhere(accountId);
    const why = identity.kind === 'unread' ? identity.why : 'STS knows no such identity';
    return { kind: 'unread', why: `nobody says of which account your credentials are: ${why}` };
  }

  #client() {
    return this.#questions.client('sts', async () => {
      const { STSClient } = await import('@aws-sdk/client-sts');
      return new STSClient({
        ...hermeticSettings(this.#at),
        ...clientLimits,
        useGlobalEndpoint: false,
        sigv4aSigningRegionSet: [],
      });
    });
  }
}
