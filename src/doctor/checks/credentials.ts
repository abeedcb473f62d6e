import type { Check } from '../check.ts';
import { pass, unknown, unreadFinding } from '../finding.ts';

export const credentials: Check = {
  about: 'whose AWS credentials this command has',
  // It needs none, unless something denies it.
  permissions: [],
  async run({ account }) {
    const subject = 'your credentials';
    const identity = await account.credentials.identity();
    if (identity.kind === 'read') {
      return [pass(subject, `${identity.value.arn}, account ${identity.value.accountId}`)];
    }
    if (identity.kind === 'absent') return [unknown(subject, 'STS does not know them')];
    return [unreadFinding(subject, identity)];
  },
};
