import { describe, expect, it } from '@jest/globals';
import { ConfigError, parseConfig } from '../../src/config/load.ts';
import { listSettings, type Setting } from '../../src/config/settings.ts';
import { codeBlocks, readDocument, tableRows } from '../support/markdown.ts';

const document = readDocument('configuration.md');
const header = '| setting | environment variable | type | default | meaning |';
const documented = tableRows(document, header);

function rowOf({ path, env, type, required, defaultValue, description }: Setting) {
  const fallback = defaultValue === undefined ? '—' : `\`${defaultValue}\``;
  return [
    `\`${path}\``,
    env === undefined ? '—' : `\`${env}\``,
    type,
    required ? 'required' : fallback,
    description,
  ];
}

describe('docs/configuration.md', () => {
  it('documents every setting, and no other, in the order of the schema', () => {
    const paths = documented.map(([path]) => path);
    expect(paths).toEqual(listSettings().map(({ path }) => `\`${path}\``));
    expect(paths.length).toBeGreaterThan(60);
  });

  it.each(listSettings().map((setting) => [setting.path, setting] as const))(
    'has variable, type, default and meaning of %s as they are',
    (path, setting) => {
      const rows = documented.filter(([name]) => name === `\`${path}\``);
      expect(rows).toEqual([rowOf(setting)]);
      expect(setting.description).not.toBe('');
    },
  );

  it('has a table under a heading of its own for every section', () => {
    const sections = new Set(listSettings().map(({ path }) => path.split('.')[0]));
    const headings = [...document.matchAll(/^### (.+)$/gm)].map((match) => match[1]);
    expect(headings).toEqual([...sections]);
  });

  it('has an example that is a valid production configuration as it stands', () => {
    const [text = '', ...others] = codeBlocks(document, 'yaml');
    expect(others).toEqual([]);
    const runtime = {
      nodeOptions: '',
      nodeDebug: '',
      execArgv: [],
      tlsRejectUnauthorized: undefined,
      userId: 65_532,
      inspected: false,
    };
    expect(parseConfig({ path: 'example', text }, {}, runtime).profile).toBe('production');
    const [profile, ...rest] = text.split('\n');
    expect(profile).toBe('profile: production');
    expect(() => parseConfig({ path: 'example', text: rest.join('\n') }, {}, runtime)).toThrow(
      ConfigError,
    );
  });
});
