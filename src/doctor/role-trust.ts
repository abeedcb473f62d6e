import {
  parseTrustPolicy,
  type TrustPolicy,
  type TrustStatement,
} from '../iam-policy/trust-policy.ts';
import type { JsonObject } from '../kit/json/json-object.ts';
import type { Examination, ExaminedRole } from './examination.ts';
import type { Reading } from './finding.ts';

/** The trust policy of a role as this program reads it. */
export interface RoleTrust {
  readonly document: JsonObject;
  /** The statements of the document, in its order. */
  readonly policy: TrustPolicy;
}

export async function readRoleTrust(
  role: ExaminedRole,
  { account }: Examination,
): Promise<Reading<RoleTrust>> {
  const read = await account.iam.role(role.arn, role.name);
  if (read.kind !== 'read') return read;
  const { trustDocument: document } = read.value;
  try {
    return { kind: 'read', value: { document, policy: parseTrustPolicy(document) } };
  } catch (error) {
    const why = `its trust policy has what is not judged here (${error instanceof Error ? error.message : ''})`;
    return { kind: 'unread', why };
  }
}

export function statementName({ sid }: TrustStatement, index: number): string {
  return sid === undefined || sid === '' ? `statement ${index + 1}` : `statement ${sid}`;
}
