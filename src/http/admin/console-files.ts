/** The files of the console as the build left them, read once: nothing of the disk is looked at for a request. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface ConsoleFile {
  readonly contentType: string;
  readonly bytes: Buffer;
  /** Its name changes whenever its content does. */
  readonly immutable: boolean;
}

const contentTypes: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  yaml: 'application/yaml; charset=utf-8',
};
/** With the digest that the build puts into it, unless it is a page, or the API as it is written. */
const fileName =
  /^(?:[a-z]+-[A-Z0-9]{8}\.(?<asset>js|css|svg)|(?:index|api)\.(?<page>html)|openapi\.(?<document>yaml))$/;
const maxFileBytes = 1024 * 1024;

/** By name. @throws Error if the page is not there, or something is that the build did not put there. */
export async function readConsoleFiles(
  directory: string,
): Promise<ReadonlyMap<string, ConsoleFile>> {
  const files = new Map<string, ConsoleFile>();
  for (const name of await readdir(directory)) {
    const { asset, page, document } = fileName.exec(name)?.groups ?? {};
    const contentType = contentTypes[asset ?? page ?? document ?? ''];
    if (contentType === undefined) throw new Error(`${name} is no file of the console`);
    const bytes = await readFile(join(directory, name));
    if (bytes.length > maxFileBytes) throw new Error(`${name} is too large`);
    files.set(name, { contentType, bytes, immutable: asset !== undefined });
  }
  if (!files.has('index.html')) throw new Error('index.html is missing: run "npm run build"');
  return files;
}
