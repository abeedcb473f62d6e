/** The keys of KMS that the broker signs with: whoever may use one can sign as the broker. */

import { matchesGlob } from '../../iam-policy/glob.ts';
import { parseConditions, requiresText } from '../../iam-policy/trust-conditions.ts';
import { isJsonObject, type JsonObject } from '../../kit/json/json-object.ts';
import { type Check, ofEach } from '../check.ts';
import { awsCommand, documentWord } from '../commands.ts';
import { type ConfiguredKmsKey, configuredKeys } from '../configured-keys.ts';
import type { Examination } from '../examination.ts';
import { type Finding, fail, pass, unknown, unreadFinding } from '../finding.ts';

export const kmsKey: Check = {
  about: 'that each key of KMS is of the right kind, for signing, and enabled',
  permissions: ['kms:DescribeKey'],
  run: (examination) =>
    ofEach(configuredKeys(examination.config), (key) => keyFinding(key, examination)),
};

async function keyFinding(
  { path, keyId, at, specs }: ConfiguredKmsKey,
  { account }: Examination,
): Promise<Finding> {
  const subject = `${path}: ${keyId}`;
  const read = await account.kms.key(keyId, at);
  if (read.kind === 'absent') {
    return fail(subject, `there is no such key in ${at.region}`, [
      `Correct ${path}.keyId, or make one: ${creation(specs[0] ?? '', at.region)}`,
    ]);
  }
  if (read.kind === 'unread') return unreadFinding(subject, read);
  const { spec, usage, state } = read.value;
  if (usage !== 'SIGN_VERIFY' || !specs.includes(spec)) {
    return fail(
      subject,
      `is ${spec} for ${usage}; it must be ${specs.join(' or ')} for SIGN_VERIFY`,
      [
        `The kind of a key cannot be changed. Make another one, and name it in ${path}.keyId:`,
        creation(specs[0] ?? '', at.region),
      ],
    );
  }
  if (state === 'Enabled') return pass(subject, `${spec}, enabled`);
  if (state === 'Disabled') {
    return fail(subject, 'is disabled: nothing can be signed with it', [
      awsCommand('kms', 'enable-key', '--key-id', keyId, '--region', at.region),
    ]);
  }
  return fail(subject, `is ${state}: nothing can be signed with it`, [
    'If it is PendingDeletion and should not be, in this order:',
    awsCommand('kms', 'cancel-key-deletion', '--key-id', keyId, '--region', at.region),
    awsCommand('kms', 'enable-key', '--key-id', keyId, '--region', at.region),
  ]);
}

function creation(spec: string, region: string): string {
  return awsCommand(
    ...['kms', 'create-key', '--key-usage', 'SIGN_VERIFY'],
    ...['--key-spec', spec, '--region', region],
  );
}

export const kmsKeyPolicy: Check = {
  about: 'who may sign with each key, by its key policy',
  permissions: ['kms:DescribeKey', 'kms:GetKeyPolicy'],
  run: (examination) =>
    ofEach(configuredKeys(examination.config), (key) => policyFindings(key, examination)),
};

async function policyFindings(
  { path, keyId, at }: ConfiguredKmsKey,
  { account, brokerRole }: Examination,
): Promise<readonly Finding[]> {
  const subject = `${path}: ${keyId}`;
  const key = await account.kms.key(keyId, at);
  if (key.kind === 'absent') return [];
  if (key.kind === 'unread') return [unreadFinding(subject, key)];
  const read = await account.kms.keyPolicy(key.value.arn, at);
  if (read.kind === 'absent') return [];
  if (read.kind === 'unread') return [unreadFinding(subject, read)];
  const signing = statementsOf(read.value).filter(isJsonObject).filter(letsSign);
  const forEverybody = signing.filter(isForEverybody);
  if (forEverybody.some(isBare)) {
    const { arn } = key.value;
    const [, partition = 'aws', , , accountId = ''] = arn.split(':');
    const named = brokerRole ?? `arn:${partition}:iam::${accountId}:root`;
    const detail =
      'everybody may sign with it, or let themselves: a statement for Principal "*", or for all but some, has no condition';
    return [
      fail(subject, detail, [
        `Let ${named} instead of everybody:`,
        awsCommand(
          ...['kms', 'put-key-policy', '--key-id', arn, '--region', at.region],
          ...['--policy-name', 'default', '--policy', documentWord(closed(read.value, named))],
        ),
      ]),
    ];
  }
  if (!forEverybody.every(({ Condition }) => isWithinAccounts(Condition))) {
    const detail =
      'a statement for Principal "*", or for all but some, lets sign with it, or let oneself: whom, only conditions say that are not judged here';
    return [unknown(subject, detail, ['Have Principal name who may, in the place of everybody.'])];
  }
  const signers = [...new Set(signing.flatMap(({ Principal }) => principalsOf(Principal)))];
  const root = signers.some((name) => /:root$|^\d{12}$/.test(name));
  const detail = `by the key policy, may sign, or let themselves: ${signers.join(', ') || 'nobody'}`;
  return [
    pass(
      subject,
      detail,
      root ? ['It also lets the IAM policies of that account decide who may.'] : undefined,
    ),
  ];
}

function statementsOf({ Statement }: JsonObject): readonly unknown[] {
  return [Statement].flat();
}

/** Whoever may do one of these signs, or lets themselves. */
const signingActions = ['kms:sign', 'kms:creategrant', 'kms:putkeypolicy'];

function letsSign({ Effect, Action, NotAction }: JsonObject): boolean {
  const signs = signingActions.some((action) =>
    NotAction === undefined ? names(Action, action) : !names(NotAction, action),
  );
  return Effect === 'Allow' && signs;
}

function names(actions: unknown, action: string): boolean {
  const patterns = [actions].flat().filter((one) => typeof one === 'string');
  return patterns.some((pattern) => matchesGlob(pattern.toLowerCase(), action));
}

/** But for some, perhaps. */
function isForEverybody({ Principal, NotPrincipal }: JsonObject): boolean {
  return NotPrincipal !== undefined || principalsOf(Principal).includes('*');
}

function isBare({ Condition }: JsonObject): boolean {
  return Object.keys(Condition ?? {}).length === 0;
}

/** Whether a condition demands accounts, principals or an organization that it names. */
function isWithinAccounts(condition: unknown): boolean {
  try {
    return parseConditions(condition, { variables: true }).some((test) => {
      const { key, values } = test;
      const named = values.every((value) => !/[*?$]/.test(value));
      return named && whose.includes(key) && requiresText([test], key);
    });
  } catch {
    return false;
  }
}

const whose = [
  ...['aws:principalaccount', 'aws:principalarn', 'aws:principalorgid'],
  ...['kms:calleraccount'],
];

/** The policy, with somebody in the place of everybody. */
function closed(policy: JsonObject, principal: string): JsonObject {
  const statements = statementsOf(policy).map((statement) => {
    if (!isJsonObject(statement) || !letsSign(statement)) return statement;
    if (!isForEverybody(statement) || !isBare(statement)) return statement;
    const { NotPrincipal: _some, ...rest } = statement;
    return { ...rest, Principal: { AWS: principal } };
  });
  return { ...policy, Statement: statements };
}

function principalsOf(principal: unknown): readonly string[] {
  if (typeof principal === 'string') return [principal];
  if (!isJsonObject(principal)) return [];
  return Object.values(principal)
    .flat()
    .filter((one) => typeof one === 'string');
}
