/**
 * Builds the console into dist/console: one script, one style sheet, an icon and the page that names them; beside them
 * the API, as a page to read and as it is written. All names of what pages name hold a digest of what is inside, so browsers may keep them for ever.
 */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { apiReference } from './api-reference.js';

const source = fileURLToPath(new URL('.', import.meta.url));
const target = fileURLToPath(new URL('../dist/console', import.meta.url));

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
const { metafile } = await build({
  absWorkingDir: source,
  entryPoints: { app: 'app/main.tsx', style: 'style.css', icon: 'icon.svg' },
  outdir: target,
  entryNames: '[name]-[hash]',
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['chrome123', 'firefox120', 'safari17.5'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  loader: { '.svg': 'copy' },
  banner: {
    js: '/*! Contains Preact (c) 2015-present Jason Miller and @preact/signals (c) 2022-present Preact Team, MIT License */',
  },
  legalComments: 'none',
  metafile: true,
});
const names = Object.keys(metafile.outputs).map((path) => basename(path));
const named = (start) => names.find((name) => name.startsWith(`${start}-`));
const page = readFileSync(join(source, 'index.html'), 'utf8').replaceAll(
  /\{(app|style|icon)\}/g,
  (_whole, start) => named(start),
);
writeFileSync(join(target, 'index.html'), page);
const api = readFileSync(join(source, '../openapi.yaml'), 'utf8');
writeFileSync(join(target, 'openapi.yaml'), api);
const files = { style: named('style'), icon: named('icon') };
writeFileSync(join(target, 'api.html'), apiReference(api, files));
