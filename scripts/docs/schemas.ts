/** The JSON Schemas that editors check files with, by the name of their file in schemas/. */

import { configSchemaFile, configSchemaText } from '../../src/config/json-schema.ts';
import {
  jsonSchemaFile,
  jsonSchemaNames,
  jsonSchemaText,
} from '../../src/mapping-files/json-schemas.ts';

export const writtenSchemas: Readonly<Record<string, () => string>> = {
  [configSchemaFile]: configSchemaText,
  ...Object.fromEntries(
    jsonSchemaNames.map((name) => [jsonSchemaFile(name), () => jsonSchemaText(name)]),
  ),
};
