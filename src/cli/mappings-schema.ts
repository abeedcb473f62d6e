/** `mappings schema`: prints the JSON Schema of one kind of file, for editors. */

import { type JsonSchemaName, jsonSchemaText } from '../mapping-files/json-schemas.ts';
import { exitCodes, type Output } from './output.ts';

export function mappingsSchema(name: JsonSchemaName, output: Output): number {
  output.out(jsonSchemaText(name));
  return exitCodes.ok;
}
