import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, it } from '@jest/globals';
import { auditVerify } from '../../../src/cli/audit-verify.ts';
import { FileSigner } from '../../../src/signing/file-signer.ts';
import { newDirectory, removeDirectories, verify } from '../audit-fixture.ts';
import { newKeyFiles, signedLog } from './checkpoint-fixture.ts';

afterAll(removeDirectories);

const program = path.join(import.meta.dirname, 'signing-appender.js');

/** Everything that it told until it was killed, after so many checkpoints. */
async function killedAfter(checkpoints: number, args: readonly string[]): Promise<string[]> {
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  const told: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    told.push(line);
    if (told.length === checkpoints) child.kill('SIGKILL');
  }
  await closed;
  return told;
}

describe('a process that is killed while it signs for its log', () => {
  it('has signed, 12 times over, for nothing that the log, as the next ones go on with it, does not bear out (T102)', async () => {
    const directory = newDirectory();
    const keys = newKeyFiles();
    const told: string[] = [];
    for (let round = 1; round <= 12; round++) {
      told.push(
        ...(await killedAfter(3 + ((round * 7) % 11), [directory, keys.privateKey, String(round)])),
      );
    }
    const last = await signedLog(directory, { signer: new FileSigner(keys.privateKey) });
    await last.stop();
    expect(last.alarms).toEqual([]);
    expect((await verify(directory)).chains).toHaveLength(1);

    const kept = path.join(directory, 'kept');
    mkdirSync(kept);
    const notes = told.map((line) => JSON.parse(line) as { readonly note?: string });
    expect(notes.filter(({ note }) => note === undefined)).toEqual([]);
    for (const [number, { note }] of notes.entries()) {
      writeFileSync(path.join(kept, `checkpoint-${number}.txt`), String(note));
    }
    let text = '';
    const out = (part: string) => {
      text += part;
    };
    const code = await auditVerify({
      directory: [directory],
      checkpoint: kept,
      key: keys.publicKey,
      json: false,
      out,
    });
    expect({ code, text }).toEqual({ code: 0, text: expect.any(String) });
    expect(notes.length).toBeGreaterThan(60);
  }, 120_000);
});
