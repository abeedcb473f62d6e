/** Runs the program of a language by each of its ways, as callers who are allowed and as one who is not. */

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { outcomeOf } from '../commands.js';
import { denials } from './denials.js';
import { ways } from './ways.js';

const callers = [
  { name: 'orders', mapping: 'orders-writer', clientId: '1orders0example0client0id0' },
  { name: 'reports', mapping: 'reports-reader', clientId: '2reports0example0client0id' },
];
const stranger = { name: 'stranger', mapping: 'orders-writer' };
const reason = /No role mapping allows this caller .* \(request [0-9a-f-]{36}\)/;
const timeoutMs = 120_000;

/** `language` is a name in `denials`, which says its ways. Returns what was tried, for the report. */
export async function checkSdk({ language, command, args, directory, stack, say }) {
  const files = join(directory, 'callers');
  mkdirSync(files, { recursive: true, mode: 0o700 });
  const runAs = async (caller, way) => {
    const token = await stack.token(caller.name);
    const { mapping } = caller;
    const { env, stop } = await ways[way]({ directory: files, urls: stack.urls, mapping, token });
    const refusedBefore = await refusals(stack.urls.ops);
    try {
      const options = { cwd: files, env: { ...nothingElse(), ...env }, timeoutMs };
      const outcome = await outcomeOf(command, args, options);
      return { ...outcome, requests: (await refusals(stack.urls.ops)) - refusedBefore };
    } finally {
      await stop?.();
    }
  };
  const names = Object.keys(denials[language]);
  for (const way of names) {
    say(`running the program: ${way}`);
    for (const caller of callers) checkIdentity(caller, way, await runAs(caller, way));
    checkDenial(denials[language][way], way, await runAs(stranger, way));
  }
  return `${names.length} ways, ${callers.length} identities and a denial by each`;
}

function checkIdentity({ mapping, clientId }, way, { ok, end, out, all }) {
  assert(ok, `${way}: the program ${end}:\n${all}`);
  const arn = `arn:aws:sts::123456789012:assumed-role/${mapping}/${clientId}`;
  assert.equal(out.trim(), arn, `${way}: the program printed another identity`);
}

function checkDenial({ says, ...expected }, way, { ok, err, all, requests }) {
  assert(!ok, `${way}: a caller without a role mapping got\n${all}`);
  const shown = err.split('\n').filter((line) => !/^\s+(?:at|File) /.test(line));
  assert(err.includes(says), `${way}: the denial does not say "${says}":\n${shown.join('\n')}`);
  const seen = { reason: reason.test(err), ...('requests' in expected ? { requests } : {}) };
  assert.deepEqual(seen, expected, `${way}: the denial was shown as\n${shown.join('\n')}`);
}

/** Blanks what whoever runs this has set: variables, profiles, proxies of AWS, and the metadata of a machine. */
function nothingElse() {
  const names = Object.keys(process.env).filter((name) => name.startsWith('AWS_'));
  return {
    ...Object.fromEntries(names.map((name) => [name, undefined])),
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_REGION: 'us-east-1',
    // The name of it that boto3 and version 1 of the AWS CLI know.
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  };
}

const refusalCounts = /^tokenbroker_refusals_total\{.*reason="([^"]+)"\} (\d+)$/gm;
const reasonOfTheWorkload = 'mapping_expired';

/** Requests that the broker refused so far, without those of the local stack's own workload. */
async function refusals(ops) {
  const page = await (await fetch(`${ops}/metrics`)).text();
  return [...page.matchAll(refusalCounts)]
    .filter(([, reason]) => reason !== reasonOfTheWorkload)
    .reduce((sum, [, , count]) => sum + Number(count), 0);
}
