/**
 * `npm run pack [-- FOLDER]`: two tarballs, the service with its command and the client library, by default in
 * build/packages. What the client has and needs is read off its entries, the `./client…` of package.json.
 */

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = resolve(process.argv[2] ?? join(root, 'build', 'packages'));
const service = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

mkdirSync(target, { recursive: true });
const staging = mkdtempSync(join(tmpdir(), 'token-broker-pack-'));
try {
  for (const stage of [stageService, stageClient]) {
    const folder = join(staging, stage.name);
    mkdirSync(folder);
    await stage(folder);
    cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
    const args = ['pack', '--ignore-scripts', '--silent', '--pack-destination', target, folder];
    const name = execFileSync('npm', args, { encoding: 'utf8', cwd: root }).trim();
    console.log(relative(process.cwd(), join(target, name)));
  }
} finally {
  rmSync(staging, { recursive: true });
}

function stageService(folder) {
  for (const name of [...service.files, 'README.md']) {
    if (!name.startsWith('!')) cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  // What is left of these would ask whoever installs it to let a script run that is for clones.
  const { scripts, devDependencies, ...manifest } = service;
  writeManifest(folder, manifest);
}

async function stageClient(folder) {
  const entries = clientEntries();
  const modules = Object.values(entries).map((entry) => entry.default);
  const { scripts, packages } = await reachedFrom(modules);
  // The compiler follows types as well, so these are all declarations that an entry can lead to.
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const compile = [tsc, '-p', join(root, 'tsconfig.client.json'), '--emitDeclarationOnly'];
  execFileSync(process.execPath, [...compile, '--outDir', join(folder, 'dist')], { cwd: root });
  for (const script of scripts) {
    const text = readFileSync(join(root, script), 'utf8');
    writeFileSync(join(folder, script), text.replace(/^\/\/# sourceMappingURL=.*\n?/m, ''));
  }
  cpSync(join(root, 'docs', 'client-library.md'), join(folder, 'README.md'));
  writeManifest(folder, clientManifest(entries, packages));
}

function writeManifest(folder, manifest) {
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

function clientEntries() {
  const own = Object.entries(service.exports).filter(([name]) => name.startsWith('./client'));
  return Object.fromEntries(own.map(([name, entry]) => [name.replace('/client', ''), entry]));
}

/** An AWS SDK is for whoever calls STS, and who does has one: it is installed by them, or not at all. */
function clientManifest(entries, packages) {
  const { version, license, type, engines } = service;
  const isSdk = (name) => name.startsWith('@aws-sdk/');
  const sdk = [...packages].filter(isSdk);
  return {
    name: 'token-broker-client',
    version,
    description:
      'AWS credentials from a token-broker, verified Cognito tokens, and middleware for services',
    license,
    // Nobody publishes it by accident.
    private: true,
    type,
    sideEffects: false,
    exports: { ...entries, './package.json': './package.json' },
    engines,
    dependencies: versionsOf([...packages].filter((name) => !isSdk(name))),
    peerDependencies: versionsOf(sdk, '^'),
    peerDependenciesMeta: Object.fromEntries(sdk.map((name) => [name, { optional: true }])),
  };
}

/** @throws Error for what the service does not depend on itself */
function versionsOf(names, range = '') {
  return Object.fromEntries(
    names.map((name) => {
      const version = service.dependencies[name];
      if (version === undefined) throw new Error(`${name} is no dependency of the service.`);
      return [name, range + version];
    }),
  );
}

/** The files and packages that are loaded with these modules. */
async function reachedFrom(modules) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: modules,
    outdir: 'none',
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
  });
  const imports = Object.values(metafile.inputs).flatMap((input) => input.imports);
  const outside = imports.filter(({ path, external }) => external && !path.startsWith('node:'));
  const packages = outside.map(({ path }) => /^(?:@[^/]+\/)?[^/]+/.exec(path)[0]);
  return {
    scripts: Object.keys(metafile.inputs),
    packages: new Set(packages.sort((a, b) => (a < b ? -1 : 1))),
  };
}
