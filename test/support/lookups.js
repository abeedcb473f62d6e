/**
 * Loaded into a process before everything else (`node --import`): every name that it looks up goes into a file, and
 * none is found. Addresses need no lookup.
 */

import dns from 'node:dns';
import { appendFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { isIP } from 'node:net';

const { lookup } = dns;

dns.lookup = (name, ...rest) => {
  if (isIP(name) !== 0) return lookup(name, ...rest);
  appendFileSync(process.env.LOOKUPS_FILE, `${name}\n`);
  const answer = rest.at(-1);
  const error = Object.assign(new Error(`no lookups here: ${name}`), { code: 'ENOTFOUND' });
  process.nextTick(answer, error);
};
syncBuiltinESMExports();
