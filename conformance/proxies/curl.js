/** curl, which offers HTTP/2 with every first request where it is told to: an offer that nobody has to take. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, versionOf } from '../commands.js';

export const curl = {
  name: 'curl',
  tools: [{ name: 'curl with HTTP/2', command: 'curl', args: ['--http2', '--version'] }],
  async run({ directory, stack, say }) {
    say('asking with curl --http2');
    const [orders, admin] = await Promise.all(['orders', 'admin'].map((name) => stack.token(name)));
    const { broker, admin: adminUrl, ops } = stack.urls;
    const as = (name, token) => {
      const file = join(directory, name);
      writeFileSync(file, `authorization: Bearer ${token}\n`, { mode: 0o600 });
      return ['-H', `@${file}`];
    };
    const json = ['-H', 'content-type: application/json ; charset="utf-8"'];
    const form = ['Action=AssumeRoleWithWebIdentity', 'Version=2011-06-15', 'RoleSessionName=curl'];
    const role = 'RoleArn=arn:aws:iam::123456789012:role/broker/orders-writer';
    const fields = [...form, role, `WebIdentityToken=${orders}`].flatMap((field) => ['-d', field]);
    for (const [what, ...args] of [
      ['REST', `${broker}/v1/credentials`, ...as('orders', orders), ...json, '-d', '{}'],
      ['container credentials', `${broker}/v1/credentials`, ...as('orders', orders)],
      ['STS', `${broker}/sts`, ...fields],
      ['an administrator', `${adminUrl}/v1/role-mappings`, ...as('admin', admin)],
      ['a probe', `${ops}/livez`],
    ]) {
      const said = [
        '-sS',
        '--http2',
        '-o',
        join(directory, 'answer'),
        '-w',
        '%{http_code} %{http_version}',
      ];
      const out = await run('curl', [...said, ...args], { cwd: directory, timeoutMs: 20_000 });
      assert.equal(out, '200 1.1', `${what}: ${out}`);
    }
    return `${versionOf('curl', ['--version']).split(' (')[0]}, --http2: five doors`;
  },
};
