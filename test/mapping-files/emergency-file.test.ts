import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { type EmergencyChange, EmergencyFile } from '../../src/mapping-files/emergency-file.ts';
import { createTestClock } from '../support/test-clock.ts';

const pool = 'us-east-1_AbCdEf123';
const root = mkdtempSync(join(tmpdir(), 'token-broker-emergency-'));
const started: EmergencyFile[] = [];
afterEach(() => {
  for (const file of started.splice(0)) file.stop();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folders = 0;
function emergency(pools: ReadonlySet<string> = new Set([pool])) {
  folders += 1;
  const folder = join(root, `folder-${folders}`);
  mkdirSync(folder);
  const path = join(folder, 'denies.yaml');
  const clock = createTestClock();
  const changes: EmergencyChange[] = [];
  const unknown: string[] = [];
  const file = new EmergencyFile({
    path,
    pools,
    clock,
    onChange: (change) => void changes.push(change),
    onUnknown: (detail) => void unknown.push(detail),
  });
  started.push(file);
  const untilChange = async (count: number) => {
    while (changes.length < count) await clock.advance(1_000);
    return changes.at(-1);
  };
  const untilUnknown = async (count: number) => {
    while (unknown.length < count) await clock.advance(1_000);
  };
  return { folder, path, file, clock, changes, unknown, untilChange, untilUnknown };
}

const client = `denies: [{ principal: { pool: ${pool}, client: c }, reason: INC-9 }, { token: jti-1 }]`;
const deniesClient = { principal: { pool, client: 'c' }, role: '*', reason: 'INC-9' };
const deniesAll = { principal: { pool: '*', any: true }, role: '*', reason: expect.any(String) };

describe('the emergency file', () => {
  it('denies what it lists from the start, as YAML or JSON, and lifts it when it is taken away', async () => {
    const { path, file, changes, untilChange } = emergency();
    writeFileSync(path, client);
    await file.start();
    expect(file.denies()).toEqual({ denies: [deniesClient], tokens: new Set(['jti-1']) });
    expect(file.count()).toBe(2);

    const role = 'arn:aws:iam::123456789012:role/x';
    const principal = { pool, any: true };
    writeFileSync(path, JSON.stringify({ denies: [{ principal, role }, { everything: true }] }));
    await untilChange(2);
    expect(file.denies().denies).toEqual([
      { principal, role, reason: '' },
      { ...deniesAll, reason: '' },
    ]);
    rmSync(path);
    expect(await untilChange(3)).toMatchObject({ state: 'absent' });
    expect(file.count()).toBe(0);
    expect(changes.map(({ state }) => state)).toEqual(['in_force', 'in_force', 'absent']);
  });

  it.each<[string, string, (name: string) => boolean]>([
    // Of more than ASCII, and so by the library, which is what takes its time.
    ['can be used', `${client}${'\n# who asked for it – and why'.repeat(4_000)}`, () => true],
    ['cannot be used', client, () => false],
    [
      'cannot be understood',
      client,
      () => {
        throw new RangeError('too deep');
      },
    ],
  ])('T115: costs nothing more while it stays as it is: one that %s', async (_what, text, has) => {
    // Whoever reads the document asks for its pool.
    let reads = 0;
    const pools = new Set([pool]);
    pools.has = (name) => {
      reads += 1;
      return has(name);
    };
    const { path, file, clock, changes, untilChange } = emergency(pools);
    writeFileSync(path, text);
    let looks = 0;
    const { after: timer } = clock;
    Object.assign(clock, {
      after: (...when: Parameters<typeof timer>) => {
        looks += 1;
        return timer(...when);
      },
    });
    await file.start();
    expect(reads).toBe(1);
    while (looks < 20) await clock.advance(1_000);
    expect(reads).toBe(1);
    expect(changes).toHaveLength(1);

    writeFileSync(path, `${text} `);
    await untilChange(2);
    expect(reads).toBe(2);
  });

  it.each(['us-east-1_AbCdEf124', 'mine', pool.toLowerCase()])(
    'denies everything while it names a pool that nobody configured: %s (T129)',
    async (other) => {
      const { path, file, untilChange } = emergency();
      const named = (name: string) => `{ principal: { pool: ${name}, any: true } }`;
      writeFileSync(path, `denies: [${named(pool)}, ${named(other)}]`);
      await file.start();
      expect(await untilChange(1)).toMatchObject({
        state: 'unusable',
        denies: { denies: [deniesAll] },
        detail: expect.stringContaining('is none of the pools in the configuration'),
      });
    },
  );

  it.each<[string, string | ((path: string) => void)]>([
    ['nothing', ''],
    ['a comment alone', '# - everything: true'],
    ['half of a document', 'denies: [{ principal: { pool: '],
    ['another name', 'deny: []'],
    ['a list without a name', '- everything: true'],
    ['a principal without a pool', 'denies: [{ principal: { client: c } }]'],
    ['a principal of two kinds', `denies: [{ principal: { pool: ${pool}, client: c, user: u } }]`],
    ['a pool that is none', 'denies: [{ principal: { pool: mine*, any: true } }]'],
    ['a role that is none', `denies: [{ principal: { pool: ${pool}, any: true }, role: admin }]`],
    ['something besides', 'denies: [{ everything: true, until: 2030-01-01 }]'],
    ['everything: false', 'denies: [{ everything: false }]'],
    ['a token that is a number', 'denies: [{ token: 12 }]'],
    ['names twice', 'denies: []\ndenies: []'],
    ['two documents', 'denies: []\n---\ndenies: []'],
    ['bytes that are no text', (path) => writeFileSync(path, Buffer.from([0xff, 0xfe]))],
    ['more than it may', (path) => writeFileSync(path, `#${'x'.repeat(300_000)}`)],
    ['a folder in its place', (path) => mkdirSync(path)],
    ['a pipe in its place', (path) => execFileSync('mkfifo', [path])],
    ['a link that leads nowhere', (path) => symlinkSync('nowhere', path)],
  ])(
    'T99: denies everything while it holds %s, and goes on with what it said before',
    async (_what, content) => {
      const { path, file, clock, changes, untilChange } = emergency();
      writeFileSync(path, client);
      await file.start();
      rmSync(path);
      if (typeof content === 'string') writeFileSync(path, content);
      else content(path);
      expect(await untilChange(2)).toMatchObject({ state: 'unusable', detail: expect.any(String) });
      expect(changes).toHaveLength(2);
      expect(file.denies()).toEqual({
        denies: [deniesClient, deniesAll],
        tokens: new Set(['jti-1']),
      });
      await clock.advance(10_000);
      expect(file.ageSeconds()).toBeGreaterThanOrEqual(10);

      rmSync(path, { recursive: true });
      writeFileSync(path, client);
      // A look that was under way may have met nothing, or half of it.
      while (changes.at(-1)?.state !== 'in_force') await clock.advance(1_000);
      expect(file.denies().denies).toEqual([deniesClient]);
      expect(file.ageSeconds()).toBeLessThan(2);
    },
  );

  it('T99: denies everything from the start where it cannot be used then', async () => {
    const { path, file } = emergency();
    writeFileSync(path, 'denies: [');
    await file.start();
    expect(file.denies().denies).toEqual([deniesAll]);
  });

  it('T235: denies everything from the start where the disk gives no answer then, until it does', async () => {
    const { path, file, changes, untilChange, untilUnknown } = emergency();
    // Reading it fails as a broken disk does, with EIO.
    symlinkSync('/proc/self/mem', path);
    await file.start();
    expect(file.denies().denies).toEqual([deniesAll]);
    expect(changes).toMatchObject([{ state: 'unusable', detail: expect.stringContaining('EIO') }]);
    await untilUnknown(2);
    expect(file.denies().denies).toEqual([deniesAll]);
    const readable = `${path}.new`;
    writeFileSync(readable, client);
    renameSync(readable, path);
    await untilChange(2);
    expect(file.denies().denies).toEqual([deniesClient]);
  });

  it.each<[string, (path: string) => void]>([
    ['holds half of a document', (path) => writeFileSync(path, 'denies: [')],
    ['gives no answer', (path) => symlinkSync('/proc/self/mem', path)],
  ])('T236: has an age to raise the alert by where it %s from the start on', async (_what, put) => {
    const { path, file, clock } = emergency();
    put(path);
    await file.start();
    await clock.advance(10_000);
    expect(file.ageSeconds()).toBeGreaterThanOrEqual(10);
  });

  it('T99: keeps what it said while its folder is gone: a lost volume lifts nothing', async () => {
    const { folder, path, file, unknown, changes, untilChange, untilUnknown } = emergency();
    writeFileSync(path, client);
    await file.start();
    renameSync(folder, `${folder}-away`);
    await untilUnknown(3);
    expect(unknown[0]).toContain('is gone');
    expect(file.denies().denies).toEqual([deniesClient]);
    expect(changes).toHaveLength(1);
    renameSync(`${folder}-away`, folder);
    rmSync(path);
    expect(await untilChange(2)).toMatchObject({ state: 'absent' });
  });

  it('T99: does not start where nobody could ever put it', async () => {
    const { folder, file } = emergency();
    rmSync(folder, { recursive: true });
    await expect(file.start()).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
