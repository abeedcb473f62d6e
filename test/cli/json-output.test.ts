/** What commands print as JSON is shown on terminals, too, and whoever made a file or a record chose what is in it. */

import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { auditFind } from '../../src/cli/audit-find.ts';
import { auditVerify } from '../../src/cli/audit-verify.ts';
import { configCheck } from '../../src/cli/commands/config.ts';
import { newDirectory, removeDirectories, writtenLog } from '../audit/audit-fixture.ts';
import { ordinaryProcess } from '../support/ordinary-process.ts';

afterEach(removeDirectories);

/** A command of the terminal in one character, one in several, and what shows text backwards. */
const hostile = 'a\u009b2Jb\u001b]0;owned\u0007c\u202etxt.d';
const plain = /^[\n\x20-\x7e]*$/;

async function printed(command: (out: (text: string) => void) => unknown) {
  let text = '';
  await command((part) => {
    text += part;
  });
  return text;
}

function folderOfStranger(): string {
  const folder = path.join(newDirectory(), hostile);
  mkdirSync(folder);
  return folder;
}

describe('JSON that a command prints', () => {
  it.each([true, false])(
    'of audit verify has nothing that acts on a terminal, with a log %p',
    async (hasLog) => {
      const folder = folderOfStranger();
      if (hasLog)
        renameSync(path.join(await writtenLog(1), 'audit.jsonl'), path.join(folder, 'audit.jsonl'));
      const text = await printed((out) => auditVerify({ directory: [folder], json: true, out }));
      expect(text).toMatch(plain);
      expect(JSON.stringify(JSON.parse(text))).toContain('\u009b2J');
    },
  );

  it('of audit find has nothing that acts on a terminal, where there is no log', async () => {
    const about = { directory: [folderOfStranger()], now: 0, json: true };
    const text = await printed((out) => auditFind({ ...about, out }));
    expect(text).toMatch(plain);
    expect(JSON.parse(text).error).toContain('\u009b2J');
  });

  it('of config check has nothing that acts on a terminal, whatever the file says', async () => {
    const file = path.join(newDirectory(), 'config.yaml');
    writeFileSync(file, JSON.stringify({ profile: hostile, [hostile]: 1 }));
    const text = await printed((out) =>
      configCheck({
        source: { file, env: {}, runtime: ordinaryProcess },
        fileOnly: true,
        json: true,
        output: { out, err: () => undefined },
      }),
    );
    expect(text).toMatch(plain);
    expect(JSON.parse(text)).toMatchObject({ valid: false });
    expect(JSON.stringify(JSON.parse(text))).toContain('\u009b2J');
  });

  it('is made by jsonLine or asciiJson, everywhere', () => {
    const folder = new URL('../../src/cli/', import.meta.url);
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    const bare = names
      .filter((name) => name.endsWith('.ts'))
      .filter((name) =>
        /(?<!asciiJson\(|printable\()JSON\.stringify/.test(
          readFileSync(new URL(name, folder), 'utf8'),
        ),
      );
    expect(new Set(bare)).toEqual(new Set(Object.keys(notPrinted)));
  });
});

/** Where else JSON is made, and what becomes of it. */
const notPrinted = {
  'admin/session.ts': 'a file',
  'admin/admin-api.ts': 'the body of a request',
  'admin/mappings/permission-cells.ts': 'a cell of a table, which makes it printable',
  'commands/agent.ts': 'a file',
  'commands/serve.ts': 'a file',
  'apply-group.ts': 'a length',
  'cloudtrail-watch.ts': 'a file',
  'policy-text.ts': 'Terraform, of names that the configuration has checked',
  'principal-text.ts': 'a part of a line that its user makes printable',
};
