import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { fileLog, newDirectory, removeDirectories, requestIdsOf, verify } from './audit-fixture.ts';

const appender = path.join(import.meta.dirname, 'appender.js');
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

afterAll(removeDirectories);

describe('a process that is killed while it appends', () => {
  it('has written every record that it acknowledged, and the next one continues the chain: 20 times', async () => {
    const directory = newDirectory();
    const acknowledged: string[] = [];
    for (let round = 1; round <= 20; round++) {
      const child = append([process.execPath, appender, directory, String(round), '100000']);
      // Killed at a different point of the work each time.
      await child.until(({ acks }) => acks.length >= 20 + 61 * round);
      await child.kill();
      expect(child.seen.refused).toBe(0);
      acknowledged.push(...child.seen.acks);
    }
    const next = fileLog(directory);
    await next.log.start();
    await next.log.stop();

    const result = await verify(directory);
    expect(result).toMatchObject({ intact: true });
    expect(result.chains).toHaveLength(1);
    expect(result.files.length).toBeGreaterThan(20);
    const written = requestIdsOf(directory);
    const position = new Map(written.map((id, index) => [id, index]));
    expect(position.size).toBe(written.length);
    expect(acknowledged.filter((id) => !position.has(id))).toEqual([]);
    for (let round = 1; round <= 20; round++) {
      const ids = written.filter((id) => id.startsWith(`${round}-`));
      expect(ids).toEqual([...ids].sort((a, b) => number(a) - number(b)));
    }
  }, 60_000);

  it('that was refused by a disk in mid-write keeps the log verifiable, and goes on when there is space', async () => {
    const directory = newDirectory();
    // In blocks of 512 or 1,024 bytes: a write beyond is cut short first, then fails with EFBIG.
    const limited = `trap '' XFSZ; ulimit -f 400; exec "$0" "$@"`;
    const program = [process.execPath, appender, directory, '1', '10000000'];
    const child = append(['sh', '-c', limited, ...program]);
    await child.until(({ refused }) => refused > 100);
    // It goes on trying, so the end of the log may be half a record that is cut off a moment later; nothing else is wrong.
    const meanwhile = (await verify(directory)).problems.filter(
      ({ kind }) => kind !== 'incomplete',
    );
    expect(meanwhile).toEqual([]);
    const before = child.seen.acks.length;
    expect(before).toBeGreaterThan(0);

    renameSync(
      path.join(directory, 'audit.jsonl'),
      path.join(directory, 'audit-000000000001.jsonl'),
    );
    await child.until(({ acks }) => acks.length > before + 10);
    await child.kill();
    const next = fileLog(directory);
    await next.log.start();
    await next.log.stop();
    expect((await verify(directory)).chains).toHaveLength(1);
    expect((await verify(directory)).intact).toBe(true);
    const written = new Set(requestIdsOf(directory));
    expect(child.seen.acks.filter((id) => !written.has(id))).toEqual([]);
    expect(readdirSync(directory)).toContain('audit.jsonl');
  }, 30_000);
});

interface Seen {
  readonly acks: string[];
  refused: number;
}

function append([command = '', ...args]: readonly string[]) {
  const child: ChildProcess = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const seen: Seen = { acks: [], refused: 0 };
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let rest = '';
  let check = (): void => undefined;
  child.stdout?.setEncoding('latin1').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === 'refused') seen.refused += 1;
      else seen.acks.push(line.slice('ack '.length));
    }
    check();
  });
  return {
    seen,
    until: (condition: (seen: Seen) => boolean) =>
      new Promise<void>((resolve, reject) => {
        check = () => {
          if (condition(seen)) resolve();
        };
        check();
        void ended.then(() => reject(new Error('the appender ended by itself')));
      }),
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function number(requestId: string): number {
  return Number(requestId.split('-')[1]);
}
