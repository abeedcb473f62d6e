import { afterAll, describe, expect, it } from '@jest/globals';
import { adding, addProposalCommands, topCommands } from '../../src/cli/admin/admin-commands.ts';
import { addMappingsCommands } from '../../src/cli/commands/mappings.ts';
import { completionCommand } from '../../src/cli/completion.ts';
import { runCommandLine } from '../support/command-line.ts';
import { temporaryFolders } from '../support/mapping-folder.ts';
import { runBash } from '../support/shell.ts';

const folders = temporaryFolders();

afterAll(() => {
  folders.remove();
});

const script = async (shell: string) => {
  const add = completionCommand((program, edge) => {
    addMappingsCommands(program, edge);
    addProposalCommands(program, edge);
    adding(topCommands.freeze)(program, edge);
    return Promise.resolve();
  });
  const { code, out } = await runCommandLine(add, ['completion', shell]);
  expect(code).toBe(0);
  return out;
};

/** What bash offers for the last of these words. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const quoted = ['token-broker', ...words].map((word) => `'${word}'`).join(' ');
  const asked = `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _token_broker || true
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const printed = await runBash(`${await script('bash')}\n${asked}`, {
    cwd: folders.folder(),
    env: {},
  });
  return printed.split('\n').filter((line) => line !== '');
}

describe('completion in bash', () => {
  it('offers commands, those of a group, and the options of each', async () => {
    expect(await offered('map')).toEqual(['mappings']);
    expect(await offered('mappings', 'wh')).toEqual(['who-can', 'what-can']);
    expect(await offered('mappings', 'undo', 'orders-writer', '--overr')).toEqual(['--override']);
    expect(await offered('proposals', 're')).toEqual(['reject']);
    expect(await offered('proposals', 'approve', '--ha')).toEqual(['--hash']);
    expect(await offered('freeze', '--any')).toEqual(['--anybody']);
    expect(await offered('freeze', '--pool', 'x', '--rea')).toEqual(['--reason']);
  });
});

describe('completion', () => {
  it.each(['bash', 'zsh', 'fish'])('has every option of every command in %s', async (shell) => {
    const text = await script(shell);
    for (const word of ['who-can', '--override', '--admin-token-file', '--anybody']) {
      expect(text).toContain(word);
    }
  });

  it('knows no other shell', async () => {
    const add = completionCommand(() => Promise.resolve());
    expect(await runCommandLine(add, ['completion', 'csh'])).toMatchObject({ code: 2 });
  });
});
