import { reloadingOf } from '../../src/config/reloading.ts';
import { listSettings, type Setting } from '../../src/config/settings.ts';
import { quoted, withTables } from './table.ts';

/** docs/configuration.md: a table under the heading of each section, read off the schema. */
export function configurationPage(page: string): string {
  const settings = listSettings();
  const missing = new Set(settings.map(sectionOf));
  const header = '| setting | environment variable | type | default | takes effect | meaning |';
  const written = withTables(page, header, ({ heading }) => {
    missing.delete(heading);
    return settings.filter((setting) => sectionOf(setting) === heading).map(rowOf);
  });
  if (missing.size === 0) return written;
  throw new Error(
    `docs/configuration.md needs a heading and a table for ${[...missing].join(', ')}.`,
  );
}

function sectionOf({ path }: Setting): string {
  return path.split('.')[0] ?? '';
}

function rowOf({ path, env, type, required, defaultValue, description }: Setting) {
  const fallback = defaultValue === undefined ? '—' : quoted(defaultValue);
  const variable = env === undefined ? '—' : quoted(env);
  const effect = reloadingOf(path) === 'reload' ? 'reload' : 'restart';
  return [quoted(path), variable, type, required ? 'required' : fallback, effect, description];
}
