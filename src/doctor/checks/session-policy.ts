/** Whether the session policy of each mapping leaves anything of what its role has: a session has what both allow. */

import type { RoleMapping } from '../../core/policy/role-mapping.ts';
import { isJsonObject, type JsonObject } from '../../kit/json/json-object.ts';
import { haveCommonText } from '../../kit/text/common-text.ts';
import { type Check, ofEach } from '../check.ts';
import type { Examination, ExaminedRole } from '../examination.ts';
import { type Finding, fail, pass, type Reading, unreadFinding } from '../finding.ts';

export const sessionPolicy: Check = {
  about: 'that each session policy leaves something of what its role has, action by action',
  permissions: [
    ...['iam:ListRolePolicies', 'iam:GetRolePolicy', 'iam:ListAttachedRolePolicies'],
    ...['iam:GetPolicy', 'iam:GetPolicyVersion'],
  ],
  run: (examination) =>
    ofEach(examination.examined, (role) =>
      ofEach(role.mappings.filter(narrows), (mapping) =>
        mappingFindings(role, mapping, examination),
      ),
    ),
};

function narrows({ session }: RoleMapping): boolean {
  return session.policy !== undefined || session.policyArns.length > 0;
}

async function mappingFindings(
  role: ExaminedRole,
  { id, session }: RoleMapping,
  examination: Examination,
): Promise<readonly Finding[]> {
  const subject = `mapping ${id}`;
  const { account } = examination;
  const elsewhere = await account.credentials.notOf(role.accountId);
  if (elsewhere !== undefined) return [unreadFinding(subject, elsewhere)];
  const gone = await absentPolicies(session.policyArns, examination);
  if (gone.length > 0) {
    return [
      fail(subject, `its session policy names what is not there: ${gone.join(', ')}`, [
        'Make that policy in the account of the role, or correct session.policyArns of the mapping.',
      ]),
    ];
  }
  const [held, managed] = await Promise.all([
    roleActions(role, examination),
    policiesActions(session.policyArns, examination),
  ]);
  if (held.kind === 'absent' || managed.kind === 'absent') return [];
  if (held.kind === 'unread') return [unreadFinding(subject, held)];
  if (managed.kind === 'unread') return [unreadFinding(subject, managed)];
  const asked = [...allowedActions(session.policy ?? {}), ...managed.value];
  return [overlap(subject, role, [...new Set(asked)], held.value)];
}

const extent = 'by their actions alone: resources, conditions and denies were not compared';

function overlap(
  subject: string,
  { arn }: ExaminedRole,
  asked: readonly string[],
  held: readonly string[],
): Finding {
  const empty = asked.filter((action) => !held.some((pattern) => haveCommonText(action, pattern)));
  if (empty.length < asked.length) {
    const told =
      empty.length === 0
        ? undefined
        : [
            `The role has nothing of ${empty.join(', ')}: give it to the role, or take it out of the policy.`,
          ];
    return pass(subject, `its session policy and ${arn} have actions in common, ${extent}`, told);
  }
  const has = held.length === 0 ? 'no permission at all' : held.slice(0, 20).join(', ');
  const detail = `its session policy allows ${asked.join(', ') || 'nothing'}, and the role has ${has}: sessions can do nothing`;
  return fail(subject, detail, [
    `A session has what the role and the session policy both allow. Allow the role what the policy is about (aws iam put-role-policy), or correct session.policy of the mapping.`,
  ]);
}

async function absentPolicies(
  arns: readonly string[],
  { account }: Examination,
): Promise<readonly string[]> {
  const read = await Promise.all(arns.map((arn) => account.iam.managedPolicyVersion(arn)));
  return arns.filter((_, index) => read[index]?.kind === 'absent');
}

/** What the identity policies of the role allow. */
async function roleActions(
  { name }: ExaminedRole,
  examination: Examination,
): Promise<Reading<readonly string[]>> {
  const { account } = examination;
  const [inline, attached] = await Promise.all([
    account.iam.inlinePolicies(name),
    account.iam.attachedPolicies(name),
  ]);
  if (inline.kind !== 'read') return inline;
  if (attached.kind !== 'read') return attached;
  const documents = await Promise.all(
    inline.value.map((policy) => account.iam.inlinePolicy(name, policy)),
  );
  return joined([...documents.map(actionsOf), await policiesActions(attached.value, examination)]);
}

async function policiesActions(
  arns: readonly string[],
  { account }: Examination,
): Promise<Reading<readonly string[]>> {
  const read = await Promise.all(
    arns.map(async (arn) => {
      const version = await account.iam.managedPolicyVersion(arn);
      return version.kind === 'read' ? account.iam.managedPolicy(arn, version.value) : version;
    }),
  );
  return joined(read.map(actionsOf));
}

function actionsOf(read: Reading<JsonObject>): Reading<readonly string[]> {
  return read.kind === 'read' ? { kind: 'read', value: allowedActions(read.value) } : read;
}

/** The first that could not be read, or all of them. */
function joined(lists: readonly Reading<readonly string[]>[]): Reading<readonly string[]> {
  const values: string[] = [];
  for (const list of lists) {
    if (list.kind !== 'read') return list;
    values.push(...list.value);
  }
  return { kind: 'read', value: values };
}

/** Patterns in lower case; all but some actions count as all. */
function allowedActions({ Statement }: JsonObject): readonly string[] {
  return [Statement].flat().flatMap((statement) => {
    if (!isJsonObject(statement) || statement['Effect'] !== 'Allow') return [];
    if (statement['NotAction'] !== undefined) return ['*'];
    return [statement['Action']]
      .flat()
      .flatMap((action) => (typeof action === 'string' ? [action.toLowerCase()] : []));
  });
}
