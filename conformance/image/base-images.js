/**
 * Stand-ins for the two public base images, for machines that cannot have those: this machine's C library and
 * certificates, the Node.js that `npm run test:node24` fetches, npm, and busybox for what the Dockerfile runs in a shell.
 * As in the public ones, what the last stage is made from has no shell and no npm.
 */

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const busyboxCommands = ['mkdir', 'env', 'rm', 'cat', 'ls', 'chmod'];
const certificates = '/etc/ssl/certs/ca-certificates.crt';

/** Makes `localhost/base-build` and `localhost/base-run` in the store, and returns their names as build arguments. */
export async function makeBaseImages({ buildah, node, directory }) {
  const build = join(directory, 'base-build');
  put(build, node, 'usr/local/bin/node');
  putLibraries(build, node);
  putNpm(build);
  putShell(build);
  // That of busybox prefers what busybox has, and its `find` cannot delete.
  for (const [program, place] of [
    ['/usr/bin/dash', 'bin/sh'],
    ['/usr/bin/find', 'usr/bin/find'],
  ]) {
    put(build, program, place);
    putLibraries(build, program);
  }
  putCommon(build);
  const run = join(directory, 'base-run');
  put(run, node, 'nodejs/bin/node');
  putLibraries(run, node);
  putCommon(run);
  const images = {
    BUILD_IMAGE: ['localhost/base-build', build],
    RUN_IMAGE: ['localhost/base-run', run],
  };
  for (const [name, tree] of Object.values(images)) {
    writeFileSync(join(tree, 'Containerfile'), containerfile());
    await buildah('bud', '--format', 'docker', '--tag', name, tree);
  }
  return Object.entries(images).map(([argument, [name]]) => `${argument}=${name}`);
}

function containerfile() {
  const extra =
    process.env.NODE_EXTRA_CA_CERTS === undefined
      ? ''
      : `ENV NODE_EXTRA_CA_CERTS=${certificates}\n`;
  return `FROM scratch
COPY . /
ENV PATH=/usr/local/bin:/usr/bin:/bin
${extra}`;
}

function putLibraries(tree, program) {
  const said = execFileSync('ldd', [program], { encoding: 'utf8' });
  for (const [, file] of said.matchAll(/(?:=> )?(\/\S+) \(0x/g))
    put(tree, realpathSync(file), file);
}

/** Of this machine, told to ask the registry that this machine asks. */
function putNpm(tree) {
  const cli = realpathSync(execFileSync('which', ['npm'], { encoding: 'utf8' }).trim());
  put(tree, dirname(dirname(cli)), 'usr/local/lib/node_modules/npm');
  const bin = join(tree, 'usr/local/bin/npm');
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', bin);
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
  mkdirSync(join(tree, 'usr/local/etc'), { recursive: true });
  writeFileSync(
    join(tree, 'usr/local/etc/npmrc'),
    `registry=${registry}\ncafile=${certificates}\nupdate-notifier=false\n`,
  );
}

function putShell(tree) {
  put(tree, '/bin/busybox', 'bin/busybox');
  for (const command of busyboxCommands) symlinkSync('busybox', join(tree, 'bin', command));
  mkdirSync(join(tree, 'usr/bin'), { recursive: true });
  symlinkSync('/bin/busybox', join(tree, 'usr/bin/env'));
}

function putCommon(tree) {
  put(tree, certificates, certificates);
  for (const [name, mode] of [
    ['tmp', 0o777],
    ['root', 0o700],
    ['proc', 0o555],
    ['dev', 0o755],
  ]) {
    mkdirSync(join(tree, name), { recursive: true, mode });
  }
  writeFileSync(
    join(tree, 'etc/passwd'),
    'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n',
  );
  writeFileSync(join(tree, 'etc/group'), 'root:x:0:\nnonroot:x:65532:\n');
}

function put(tree, from, to) {
  const target = join(tree, to);
  if (existsSync(target)) return;
  mkdirSync(dirname(target), { recursive: true });
  cpSync(from, target, { recursive: true, verbatimSymlinks: true });
}
