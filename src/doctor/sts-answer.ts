/** One unsigned call to an endpoint of STS: any well-formed error of AWS proves that it is reached. */

import type { AwsEndpoint } from '../aws/hermetic-settings.ts';
import { dnsSuffix } from '../identity/providers/cognito-pool.ts';
import { type BoundedAnswer, boundedFetch, NoAnswerError } from '../kit/net/bounded-fetch.ts';
import type { Clock } from '../kit/timing/clock.ts';
import type { StsGreeting } from './endpoint-answers.ts';
import type { Examination } from './examination.ts';

const timeoutMs = 5_000;
const maxBytes = 64 * 1024;

/** A text says what came instead. */
export function greetSts(
  { region, endpoint }: AwsEndpoint,
  { answers, clock }: Examination,
): Promise<StsGreeting | string> {
  const url = endpoint ?? `https://sts.${region}.${dnsSuffix(region)}`;
  return answers.greetings.get(url, () => greetNow(url, clock));
}

async function greetNow(url: string, clock: Clock): Promise<StsGreeting | string> {
  const before = clock.now();
  let answer: BoundedAnswer;
  try {
    answer = await boundedFetch(url, {
      ...{ clock, timeoutMs, maxBytes },
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'Action=GetCallerIdentity&Version=2011-06-15',
    });
  } catch (error) {
    if (!(error instanceof NoAnswerError)) throw error;
    return `${url} cannot be reached: ${error.message}`;
  }
  const text = Buffer.from(answer.body ?? []).toString();
  if (!/<Code>[A-Za-z]{1,64}<\/Code>/.test(text)) {
    return `${url} answers with status ${answer.status}, and not as STS does: a proxy or another program is there`;
  }
  const date = Date.parse(answer.headers.get('date') ?? '');
  const here = (before + clock.now()) / 2;
  return { url, date: Number.isNaN(date) ? undefined : date, here };
}
