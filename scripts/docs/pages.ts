/** The pages that are partly written from code, each as a function from what it is to what it should be. */

import { conditions } from '../../src/core/policy/conditions/conditions.ts';
import { configurationPage } from './configuration-page.ts';
import { errorsPage } from './errors-page.ts';
import { metricsPage } from './metrics-page.ts';
import { quoted, withTables } from './table.ts';

export const writtenPages: Readonly<Record<string, (page: string) => string>> = {
  'configuration.md': configurationPage,
  'errors.md': errorsPage,
  'metrics.md': metricsPage,
  'role-mappings.md': (page) =>
    withTables(page, '| condition | holds |', () =>
      Object.entries(conditions).map(([name, { description }]) => [quoted(name), description]),
    ),
};
