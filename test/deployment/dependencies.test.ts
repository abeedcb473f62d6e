/** What the lockfile promises about the packages that end up in the image. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

interface Package {
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly hasInstallScript?: boolean;
  readonly integrity?: string;
  readonly resolved?: string;
}

const { dependencies } = JSON.parse(read('package.json')) as {
  readonly dependencies: Readonly<Record<string, string>>;
};
const { packages } = JSON.parse(read('package-lock.json')) as {
  readonly packages: Readonly<Record<string, Package>>;
};
const { '': _root, ...installed } = packages;

function namesOf(matches: (entry: Package) => boolean): readonly string[] {
  return Object.entries(installed).flatMap(([name, entry]) => (matches(entry) ? name : []));
}

describe('the packages of the image (T44)', () => {
  it('are few, direct ones pinned to one version each', () => {
    const direct = Object.values(dependencies);
    expect(direct.length).toBeGreaterThan(5);
    expect(direct.length).toBeLessThanOrEqual(25);
    expect(direct.filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
    expect(namesOf(({ dev }) => dev !== true).length).toBeLessThanOrEqual(150);
  });

  it('run nothing when they are installed', () => {
    expect(
      namesOf(({ dev, hasInstallScript }) => dev !== true && hasInstallScript === true),
    ).toEqual([]);
    expect(read('.npmrc')).toMatch(/^ignore-scripts=true$/m);
  });

  it('are the very bytes that were locked, from whatever registry npm is told to ask', () => {
    expect(
      namesOf(({ integrity = '', optional = false, os }) => {
        const elsewhere = optional && os !== undefined;
        return !elsewhere && !integrity.startsWith('sha512-');
      }),
    ).toEqual([]);
    expect(namesOf(({ resolved }) => resolved !== undefined)).toEqual([]);
  });
});

function read(file: string): string {
  return readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
}
