import { isRecordedKey } from '../iam-policy/trust-context.ts';
import type { TrustPolicy, TrustRequest } from '../iam-policy/trust-policy.ts';

type Asked = Pick<TrustRequest, 'context' | 'openKeys'>;

/** The request, with every key open that the policy tests and of which nobody knows whether STS fills it. */
export function withOpenKeys<Request extends Asked>(
  policy: TrustPolicy,
  request: Request,
): Request & { readonly openKeys: ReadonlySet<string> } {
  const unrecorded = testedKeys(policy).filter(
    (key) => !isRecordedKey(key) && !request.context.has(key),
  );
  return { ...request, openKeys: new Set([...(request.openKeys ?? []), ...unrecorded]) };
}

/** In lower case. */
export function testedKeys(policy: TrustPolicy): readonly string[] {
  return policy.flatMap(({ conditions }) => conditions.map(({ key }) => key));
}
