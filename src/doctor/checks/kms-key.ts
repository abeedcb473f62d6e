/** The keys of KMS that the broker signs with: whoever may use one can sign as the broker. */

import { matchesGlob } from '../../iam-policy/glob.ts';
import { isJsonObject, type JsonObject } from '../../kit/json/json-object.ts';
import { type Check, ofEach } from '../check.ts';
import { awsCommand, documentWord } from '../commands.ts';
import { type ConfiguredKmsKey, configuredKeys } from '../configured-keys.ts';
import type { Examination } from '../examination.ts';
import { type Finding, fail, pass, unreadFinding } from '../finding.ts';

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
  if (signing.some(isOpen)) {
    const { arn } = key.value;
    const [, partition = 'aws', , , accountId = ''] = arn.split(':');
    const named = brokerRole ?? `arn:${partition}:iam::${accountId}:root`;
    const detail = 'everybody may sign with it: a statement for Principal "*" has no condition';
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
  const names = [...new Set(signing.flatMap(({ Principal }) => principalsOf(Principal)))];
  const root = names.some((name) => /:root$|^\d{12}$/.test(name));
  const detail = `by the key policy, may sign: ${names.join(', ') || 'nobody'}`;
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

function letsSign({ Effect, Action, NotAction }: JsonObject): boolean {
  const signs = NotAction === undefined ? namesSigning(Action) : !namesSigning(NotAction);
  return Effect === 'Allow' && signs;
}

function namesSigning(actions: unknown): boolean {
  const patterns = [actions].flat().filter((one) => typeof one === 'string');
  return patterns.some((pattern) => matchesGlob(pattern.toLowerCase(), 'kms:sign'));
}

/** Of a statement that lets sign: everybody, whatever the circumstances. */
function isOpen({ Condition, Principal }: JsonObject): boolean {
  const bare = Object.keys(Condition ?? {}).length === 0;
  return bare && principalsOf(Principal).includes('*');
}

/** The policy, with somebody in the place of everybody. */
function closed(policy: JsonObject, principal: string): JsonObject {
  const statements = statementsOf(policy).map((statement) => {
    const open = isJsonObject(statement) && letsSign(statement) && isOpen(statement);
    return open ? { ...statement, Principal: { AWS: principal } } : statement;
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
