/** Statements for Principal "*": whom their conditions let in of those whom nobody had in mind. */

import { type ConditionContext, conditionVerdict } from '../iam-policy/trust-conditions.ts';
import { namesAction, type TrustPolicy, type TrustStatement } from '../iam-policy/trust-policy.ts';
import { testedKeys } from './open-keys.ts';
import { statementName } from './role-trust.ts';
import { filled, nobody, saidTexts } from './said-values.ts';

export interface ForEverybody {
  readonly statement: TrustStatement;
  readonly status: 'fail' | 'unknown';
  readonly detail: string;
}

/** Those that let somebody in, or may. */
export function forEverybody(policy: TrustPolicy): readonly ForEverybody[] {
  return policy.flatMap((statement, index) => {
    const { effect, anyone, conditions } = statement;
    if (effect !== 'Allow' || !anyone) return [];
    const named = `${statementName(statement, index)} is for Principal "*"`;
    const told = (status: ForEverybody['status'], detail: string) => [
      { statement, status, detail },
    ];
    if (conditions.length === 0) return told('fail', `${named}, without any condition`);
    const verdicts = outsiders(policy).map((outsider) => ({
      outsider,
      verdict: verdictOn(statement, policy, outsider),
    }));
    const allowed = verdicts.find(({ verdict }) => verdict === 'match');
    if (allowed !== undefined) {
      const [arn] = allowed.outsider.context.get('aws:principalarn') ?? [];
      return told('fail', `${named}, and lets in anybody, such as ${arn}`);
    }
    const keys = [...new Set(conditions.map(({ key }) => key))].join(', ');
    return verdicts.some(({ verdict }) => verdict === 'unknown')
      ? told(
          'unknown',
          `${named}, and only conditions that cannot be judged here say for whom: ${keys}`,
        )
      : [];
  });
}

function verdictOn(
  { conditions }: TrustStatement,
  policy: TrustPolicy,
  outsider: ConditionContext,
) {
  const allowed = conditionVerdict(conditions, outsider);
  const denied = policy
    .filter((one) => one.effect === 'Deny' && one.anyone && namesAction(one, 'sts:AssumeRole'))
    .map((one) => conditionVerdict(one.conditions, outsider));
  if (denied.includes('match')) return 'no_match';
  return allowed === 'match' && denied.includes('unknown') ? 'unknown' : allowed;
}

/** Principals of an account and an organization that are nobody's: what a pattern leaves open there, anybody can call their own. */
function outsiders(policy: TrustPolicy): readonly Required<ConditionContext>[] {
  const arns = saidTexts(policy, 'aws:principalarn')
    .filter((text) => /[*?]/.test(text.split(':')[4] ?? text))
    .map(filled);
  const organizations = [
    ...saidTexts(policy, 'aws:principalorgid'),
    ...saidTexts(policy, 'aws:principalorgpaths'),
  ]
    .map((text) => text.split('/', 1)[0] ?? '')
    .filter((text) => /[*?]/.test(text))
    .map(filled);
  const accounts = saidTexts(policy, 'aws:principalaccount')
    .filter((text) => /[*?]/.test(text))
    .map(filled);
  return [`arn:aws:iam::000000000000:role/${nobody}`, ...arns].flatMap((arn) =>
    ['o-0000000000', ...organizations].flatMap((organization) =>
      ['000000000000', ...accounts].map((account) => {
        const context = new Map([
          ['aws:principalarn', [arn]],
          ['aws:principalaccount', [account]],
          ['aws:principalorgid', [organization]],
          ['aws:principalorgpaths', [`${organization}/r-0000/ou-0000-00000000/`]],
        ]);
        const openKeys = new Set(testedKeys(policy).filter((key) => !context.has(key)));
        return { context, openKeys };
      }),
    ),
  );
}
