/** JSON Schema of the configuration file, for editors: made from the schema that checks it. */

import { z } from 'zod';
import { configSchema } from './schema.ts';

export const configSchemaFile = 'config.v1.json';

export function configSchemaText(): string {
  const document = z.toJSONSchema(configSchema, { io: 'input' });
  const title = 'Configuration of token-broker';
  return `${JSON.stringify({ $schema: document.$schema, title, ...document }, null, 2)}\n`;
}
