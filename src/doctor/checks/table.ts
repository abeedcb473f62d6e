/** The table with the role mappings: there, with the right keys, and not to be lost by one mistake. */

import type { Check } from '../check.ts';
import { awsCommand } from '../commands.ts';
import { type Finding, fail, pass, unreadFinding } from '../finding.ts';

export const table: Check = {
  about: 'that the table is there and active, with the right keys',
  permissions: ['dynamodb:DescribeTable'],
  async run({ account, config }) {
    const { table: name, region } = config.policy;
    const read = await account.tables.table(name);
    if (read.kind === 'unread') return [unreadFinding(name, read)];
    if (read.kind === 'absent') {
      return [
        fail(name, `there is no such table in ${region}, in the account of your credentials`, [
          'Correct policy.table and policy.region, or make it: token-broker table create --config FILE',
        ]),
      ];
    }
    const { status, keys } = read.value;
    if (keys.join() !== 'pk HASH,sk RANGE') {
      const detail = `is another program's table: its keys are ${keys.join(' and ')}, not pk and sk`;
      return [fail(name, detail, ['Choose another name in policy.table.'])];
    }
    if (status !== 'ACTIVE' && status !== 'UPDATING') {
      return [fail(name, `is ${status}`, ['Wait until it is active.'])];
    }
    return [pass(name, `is ${status}`)];
  },
};

export const tableRecovery: Check = {
  about: 'point-in-time recovery of the table',
  permissions: ['dynamodb:DescribeContinuousBackups'],
  async run({ account, config }) {
    const { table: name, region } = config.policy;
    const read = await account.tables.pointInTimeRecovery(name);
    if (read.kind === 'absent') return [];
    if (read.kind === 'unread') return [unreadFinding(name, read)];
    if (read.value) return [pass(name, 'point-in-time recovery is on')];
    return [
      fail(name, 'point-in-time recovery is off: what one mistake deletes is gone', [
        awsCommand(
          ...['dynamodb', 'update-continuous-backups', '--table-name', name, '--region', region],
          ...['--point-in-time-recovery-specification', 'PointInTimeRecoveryEnabled=true'],
        ),
      ]),
    ];
  },
};

export const tableDeletionProtection: Check = {
  about: 'deletion protection of the table',
  permissions: ['dynamodb:DescribeTable'],
  async run({ account, config }): Promise<readonly Finding[]> {
    const { table: name, region } = config.policy;
    const read = await account.tables.table(name);
    if (read.kind === 'absent') return [];
    if (read.kind === 'unread') return [unreadFinding(name, read)];
    if (read.value.deletionProtection) return [pass(name, 'deletion protection is on')];
    return [
      fail(name, 'deletion protection is off: one call deletes every mapping', [
        awsCommand(
          ...['dynamodb', 'update-table', '--table-name', name, '--region', region],
          '--deletion-protection-enabled',
        ),
      ]),
    ];
  },
};
