/** Prints the bill of materials (CycloneDX). npm names what it is of by the folder that it lies in; here that is the package. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { name } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const { status, stdout } = spawnSync('npm', ['sbom', '--sbom-format', 'cyclonedx'], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024,
  stdio: ['ignore', 'pipe', 'inherit'],
});
if (status === 0) {
  const sbom = JSON.parse(stdout);
  sbom.metadata.component.name = name;
  console.log(JSON.stringify(sbom, null, 2));
} else {
  process.exitCode = 1;
}
