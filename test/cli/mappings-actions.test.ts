/** What `mappings validate` knows of AWS: actions, and the resources that they can name. */

import { readdirSync, readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import { afterAll, describe, expect, it } from '@jest/globals';
import { mappingsValidate } from '../../src/cli/mappings-validate.ts';
import { haveCommonText } from '../../src/kit/text/common-text.ts';
import { nearest } from '../../src/mapping-files/iam-actions/nearest.ts';
import { packedIamActions } from '../../src/mapping-files/iam-actions/packed-table.ts';
import { captured, mappingText, rules, temporaryFolders } from '../support/mapping-folder.ts';

const folders = temporaryFolders();
afterAll(() => folders.remove());

const table = 'arn:aws:dynamodb:us-east-1:123456789012:table/orders';

/** The warnings about a policy with these actions and resources. */
async function warnings(actions: unknown, resources: unknown, more: object = {}) {
  const statement = { Effect: 'Allow', Action: actions, Resource: resources, ...more };
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  const text = mappingText('a', `conditions: { caller: machine }\nsession: { policy: ${policy} }`);
  const directory = folders.folder({ 'a.yaml': text });
  const { code, out, err } = await captured((output) =>
    mappingsValidate({ directory, rules, json: true, output }),
  );
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out).warnings.map(
    ({ pointer, detail }: { pointer: string; detail: string }) =>
      `${pointer.replace('/session/policy/Statement/0/', '')} ${detail}`,
  );
}

describe('actions in session policies', () => {
  it.each([
    ['dynamodb:PutItem', table],
    ['DynamoDB:putitem', table],
    ['dynamodb:*', table],
    ['dynamodb:Get*', '*'],
    ['*', '*'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a claim reference of a session policy
    ['s3:GetObject', 'arn:aws:s3:::invoices/${claim:sub}/*'],
    ['s3:ListBucket', 'arn:aws:s3:::invoices'],
    ['s3:GetObject', 'arn:aws:s3:::*'],
    ['logs:PutLogEvents', 'arn:aws:logs:us-east-1:123456789012:log-group:/app/orders:*'],
    ['sqs:SendMessage', 'arn:aws:sqs:us-east-1:123456789012:orders'],
    ['kms:Decrypt', 'arn:aws:kms:us-east-1:123456789012:key/0a7c1d52-0000-4000-8000-000000000001'],
    ['ec2:DescribeInstances', '*'],
    ['iam:PassRole', 'arn:aws:iam::123456789012:role/team/*'],
  ])('%s on %s is nothing to say a word about', async (action, resource) => {
    expect(await warnings(action, resource)).toEqual([]);
  });

  it('names what AWS does not have, with what was meant', async () => {
    const found = await warnings(
      ['dynamodb:PutItems', 'dynamo:PutItem', 's3:Frobnicate*', 's3:GetObject'],
      '*',
    );
    expect(found).toEqual([
      expect.stringMatching(/^Action\/0 is no action .* did you mean dynamodb:PutItem\?$/),
      expect.stringMatching(/^Action\/1 is of no service .* did you mean dynamodb:PutItem\?$/),
      expect.stringMatching(/^Action\/2 matches no action/),
    ]);
  });

  it('names actions that none of their resources is for', async () => {
    const bucket = 'arn:aws:s3:::invoices';
    expect(await warnings(['s3:GetObject', 'dynamodb:PutItem'], [bucket, table])).toEqual([
      expect.stringMatching(/^Action\/0 applies to none .* it is about arn:\*:s3/),
    ]);
    expect(await warnings('s3:ListBucket', `${bucket}/*`)).toEqual([
      expect.stringMatching(/^Action applies to none/),
    ]);
    expect(await warnings('s3:ListAllMyBuckets', bucket)).toEqual([
      expect.stringMatching(/^Action can be limited to no resource/),
    ]);
  });

  it('are judged by the table that the script has made of the package', async () => {
    const script = new URL('../../scripts/iam-actions.js', import.meta.url);
    const { iamActionTable } = await import(script.href);
    const packed = brotliDecompressSync(Buffer.from(packedIamActions, 'base64')).toString();
    expect(packed === (await iamActionTable())).toBe(true);
    expect(packedIamActions.length).toBeLessThan(250_000);
  });

  it('are in no file that the service loads', () => {
    // Whoever imports one of these when it is loaded itself; its types alone are not there when it runs.
    const loads =
      /^(?:import|export)\s(?!type\s)(?:[\w$\s{},*]*\sfrom\s)?\s*'[^']*\b(?:iam|packed)-table\.ts'/m;
    const src = new URL('../../src/', import.meta.url);
    const loading = readdirSync(src, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .filter((file) => loads.test(readFileSync(new URL(file, src), 'utf8')));
    expect(loading).toEqual(['mapping-files/iam-actions/iam-table.ts']);
  });
});

describe('patterns', () => {
  it.each([
    ['a*c', 'ab*', true],
    ['a*', 'b*', false],
    ['*', '', true],
    ['#', '', false],
    ['x:#', 'x:y', true],
    ['x:#', 'x:y/z', false],
    ['x:#', 'x:*', true],
    ['x:#/*', 'x:y/z/w', true],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    [`${'*a'.repeat(200)}`, `${'a'.repeat(199)}b`, false],
  ])('%s and %s have a text in common: %s', (one, other, answer) => {
    expect(haveCommonText(one, other)).toBe(answer);
    expect(haveCommonText(other, one)).toBe(answer);
  });

  it('nothing is near what is far', () => {
    expect(nearest('PutItm', ['GetItem', 'PutItem'])).toBe('PutItem');
    expect(nearest('zzzzzz', ['GetItem', 'PutItem'])).toBeUndefined();
  });
});
