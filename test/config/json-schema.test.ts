import { describe, expect, it } from '@jest/globals';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { configSchemaText } from '../../src/config/json-schema.ts';
import { listSettings } from '../../src/config/settings.ts';
import { codeBlocks, readDocument } from '../support/markdown.ts';

const [example = ''] = codeBlocks(readDocument('configuration.md'), 'yaml');

function compiled(): ValidateFunction {
  const options = {
    strictSchema: true,
    strictTypes: false,
    validateFormats: false,
    allErrors: true,
  };
  return new Ajv2020(options).compile(JSON.parse(configSchemaText()));
}

describe('the JSON Schema of the configuration', () => {
  it('describes every setting, for editors to show', () => {
    const schema = JSON.parse(configSchemaText());
    for (const { path, description } of listSettings()) {
      const at = path
        .split(/\.|(?=\[\])/)
        .reduce((member, step) => (step === '[]' ? member.items : member.properties[step]), schema);
      expect([path, at.description]).toEqual([path, description]);
    }
  });

  it('accepts a configuration, and refuses what an editor should mark', () => {
    const validate = compiled();
    const changed = (change: (document: ReturnType<typeof parse>) => void) => {
      const document = parse(example);
      change(document);
      validate(document);
      return (validate.errors ?? []).map(({ instancePath }) => instancePath);
    };
    expect(changed(() => undefined)).toEqual([]);
    expect(changed((it) => delete it.policy.table)).toEqual(['/policy']);
    expect(changed((it) => Object.assign(it.policy, { tabel: 'x' }))).toEqual(['/policy']);
    expect(changed((it) => Object.assign(it, { profile: 'staging' }))).toEqual(['/profile']);
    expect(changed((it) => Object.assign(it.audit, { directory: 'audit' }))).toEqual([
      '/audit/directory',
    ]);
    expect(changed((it) => it.identity.userPools[0].clients.push('4abc0exampleclientid'))).toEqual([
      '/identity/userPools/0/clients',
    ]);
    expect(changed((it) => Object.assign(it, { cache: { maxEntries: 0 } }))).toEqual([
      '/cache/maxEntries',
    ]);
  });
});
