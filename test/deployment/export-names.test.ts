/** A name that stands twice is read wrongly once: by people who search for it, and by editors that offer to import it. */

import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A command is called like the route that it asks. */
const sharedByCommandAndRoute = [
  'approveProposal',
  'freeze',
  'listFreezes',
  'listProposals',
  'unfreeze',
];

/** A package of its own: what it hands out is called as it is in the broker. Its entries export again what others do. */
const clientFolder = join('src', 'client') + sep;
const entries = join(clientFolder, 'entries');

function sources(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(?:tsx?|js)$/.test(name) && !name.endsWith('.d.ts'))
    .map((name) => join(folder, name));
}

function exportsOf(file: string): readonly string[] {
  const declared =
    /^export (?:abstract |async )*(?:const|let|function\*?|class|interface|type|enum) (\w+)/gm;
  return [...readFileSync(join(root, file), 'utf8').matchAll(declared)].map(
    ([, name = '']) => name,
  );
}

function namesInSeveral(files: readonly string[]): Record<string, readonly string[]> {
  const places = new Map<string, Set<string>>();
  for (const file of files) {
    for (const name of exportsOf(file)) {
      places.set(name, (places.get(name) ?? new Set()).add(file));
    }
  }
  return Object.fromEntries(
    [...places].filter(([, where]) => where.size > 1).map(([name, where]) => [name, [...where]]),
  );
}

it('no two files of the broker, of what it is run against and of the fault laboratory export the same name', () => {
  const all = ['src', 'emulators', 'faults'].flatMap(sources);
  expect(all.length).toBeGreaterThan(400);
  const ofBroker = namesInSeveral(all.filter((file) => !file.startsWith(clientFolder)));
  for (const name of sharedByCommandAndRoute) {
    expect([name, ofBroker[name]?.length]).toEqual([name, 2]);
    delete ofBroker[name];
  }
  expect(ofBroker).toEqual({});
  const ofClient = all.filter((file) => file.startsWith(clientFolder));
  expect(namesInSeveral(ofClient.filter((file) => !file.startsWith(entries)))).toEqual({});
});

/** Each is run by itself, and imports nothing of the others. */
it.each(['console', 'bench', 'scripts', 'conformance'])(
  'no two files of one program in %s export the same name',
  (folder) => {
    const files = sources(folder);
    expect(files.length).toBeGreaterThan(5);
    const programs = folder === 'conformance' ? suitesOf(files) : [files];
    expect(programs.map(namesInSeveral)).toEqual(programs.map(() => ({})));
  },
);

/** A suite of the conformance tests is a folder, and what lies beside the folders is every suite's. */
function suitesOf(files: readonly string[]): readonly (readonly string[])[] {
  const shared = files.filter((file) => file.split(sep).length === 2);
  const own = files.filter((file) => !shared.includes(file));
  const suites = new Set(own.map((file) => file.split(sep)[1]));
  return [...suites].map((suite) => [
    ...shared,
    ...own.filter((file) => file.split(sep)[1] === suite),
  ]);
}
