/**
 * Supply chain: no package of the image runs a script at install time, the lockfile names no server, the SBOM
 * (CycloneDX) has every package of the image with its digest, and none has a known vulnerability.
 */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { name: rootName, packages } = JSON.parse(
  readFileSync(join(root, 'package-lock.json'), 'utf8'),
);
const maxProductionPackages = 150;

const faults = [];
let production = 0;
for (const [path, entry] of Object.entries(packages)) {
  if (path === '') continue;
  if (entry.resolved !== undefined) faults.push(`${path} records a download address`);
  // Builds for other platforms are never installed here; one that is must say what its bytes are.
  const elsewhere = entry.optional === true && entry.os !== undefined;
  if (entry.integrity === undefined && !elsewhere) faults.push(`${path} has no integrity`);
  for (const name of Object.keys(entry.optionalDependencies ?? {})) {
    if (
      packages[`node_modules/${name}`] === undefined &&
      packages[`${path}/node_modules/${name}`] === undefined
    ) {
      faults.push(`${path} names ${name}, which the lockfile lacks: npm ci refuses that`);
    }
  }
  if (entry.dev === true) continue;
  production += 1;
  if (entry.hasInstallScript === true) faults.push(`${path} runs an install script`);
}
if (production > maxProductionPackages) {
  faults.push(`${production} production packages; more than ${maxProductionPackages}`);
}

// Of development as well: with `--omit dev` npm leaves out what production and development share.
const sbom = npmJson('run', '--silent', 'sbom');
if (sbom.metadata.component.name !== rootName) faults.push(`the SBOM is not named ${rootName}`);
const listed = new Map(sbom.components.map((it) => [`${it.name}@${it.version}`, it.hashes]));
for (const [path, { dev, optional, version }] of Object.entries(packages)) {
  if (path === '' || dev === true || optional === true) continue;
  const name = `${path.slice(path.lastIndexOf('node_modules/') + 13)}@${version}`;
  if (!listed.get(name)?.length) faults.push(`the SBOM lacks ${name} or its digest`);
}

const { metadata, statusCode } = npmJson('audit', '--omit', 'dev', '--json');
if (metadata === undefined) {
  console.log(`npm audit: not to be had here (${statusCode ?? 'no answer'})`);
} else if (metadata.vulnerabilities.total > 0) {
  faults.push(`npm audit knows ${metadata.vulnerabilities.total} vulnerabilities`);
}

for (const fault of faults) console.error(fault);
console.log(`${production} production packages, ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;

/** npm exits with 1 when it finds something; what it found is in its answer. */
function npmJson(...args) {
  const { stdout } = spawnSync('npm', args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(stdout);
}
