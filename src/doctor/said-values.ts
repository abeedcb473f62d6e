import type { TrustPolicy } from '../iam-policy/trust-policy.ts';

/** Nobody's client and nobody's subject: no pattern that is meant for somebody matches it by accident. */
export const nobody = 'token-broker-doctor-nobody';

/** What the allows of a policy compare with a key: each text, and for each pattern a text that it takes and nobody had in mind. */
export function saidValues(policy: TrustPolicy, key: string): readonly string[] {
  return saidTexts(policy, key).map(filled);
}

/** A text that the pattern takes, and nobody had in mind. */
export function filled(pattern: string): string {
  return pattern.replaceAll('*', nobody).replaceAll('?', 'x');
}

/** The same as the policy has it. */
export function saidTexts(policy: TrustPolicy, key: string): readonly string[] {
  const texts = policy
    .filter(({ effect }) => effect === 'Allow')
    .flatMap(({ conditions }) => conditions)
    .filter((test) => test.key === key)
    .flatMap(({ values }) => values);
  return [...new Set(texts)];
}
