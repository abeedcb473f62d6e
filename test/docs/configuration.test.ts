import { describe, expect, it } from '@jest/globals';
import { ConfigError, parseConfig } from '../../src/config/load.ts';
import { listSettings } from '../../src/config/settings.ts';
import { codeBlocks, readDocument } from '../support/markdown.ts';

const document = readDocument('configuration.md');
describe('docs/configuration.md', () => {
  it('has a meaning of every setting', () => {
    expect(listSettings().length).toBeGreaterThan(60);
    expect(listSettings().filter(({ description }) => description === '')).toEqual([]);
  });

  it('has a table under a heading of its own for every section', () => {
    const sections = new Set(listSettings().map(({ path }) => path.split('.')[0]));
    const headings = [...document.matchAll(/^### (.+)$/gm)].map((match) => match[1]);
    expect(headings).toEqual([...sections]);
  });

  it('has an example that is a valid production configuration as it stands', () => {
    const [text = '', ...others] = codeBlocks(document, 'yaml');
    // Further sections, each of which may be added to it.
    for (const section of others) {
      const whole = { path: 'example', text: `${text}${section}` };
      expect(() => parseConfig(whole, { env: {}, rules: [] })).not.toThrow();
    }
    expect(parseConfig({ path: 'example', text }, { env: {}, rules: [] }).profile).toBe(
      'production',
    );
    const [profile, ...rest] = text.split('\n');
    expect(profile).toBe('profile: production');
    expect(() =>
      parseConfig({ path: 'example', text: rest.join('\n') }, { env: {}, rules: [] }),
    ).toThrow(ConfigError);
  });
});
