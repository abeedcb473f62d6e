import { describe, expect, it } from '@jest/globals';
import { Command } from 'commander';
import { addDoctorCommand } from '../../src/cli/commands/doctor.ts';
import { addWebIdentityCommands } from '../../src/cli/commands/web-identity.ts';
import { errorCodes } from '../../src/core/errors.ts';
import { checkIds, checks } from '../../src/doctor/checks.ts';
import { processEdge } from '../support/command-line.ts';
import { readDocument } from '../support/markdown.ts';

const page = readDocument('diagnosis.md');
const commands = [...page.matchAll(/^(?:[A-Z_]+=\S+ )?token-broker (.+)$/gm)].map(
  ([, words = '']) => words,
);

describe('docs/diagnosis.md', () => {
  it.each(commands)('token-broker %s is a command that there is', (line) => {
    const program = new Command().exitOverride().configureOutput({ writeErr: () => {} });
    addDoctorCommand(program, processEdge());
    addWebIdentityCommands(program, processEdge());
    const words = line.split(' ').map((word) => word.replace(/^"\$(.*)"$/, 'https://$1.example'));
    const named: string[] = [];
    for (const command of [...program.commands, ...program.commands.flatMap((c) => c.commands)]) {
      command.action(() => void named.push(command.name()));
    }
    program.parse(words, { from: 'user' });
    expect(named.at(-1)).toBe(words[0] === 'doctor' ? 'doctor' : words[1]);
  });

  it('has commands, and each check with what it needs', () => {
    expect(commands.length).toBeGreaterThan(4);
    const rows = [...page.matchAll(/^\| `([a-z-]+)` \| .* \| ?(.*?) ?\|$/gm)];
    expect(rows.map(([, id]) => id)).toEqual(checkIds);
    for (const [, id, permissions = ''] of rows) {
      const listed = [...permissions.matchAll(/`([^`]+)`/g)].map(([, action]) => action);
      expect([id, listed]).toEqual([id, checks[id as keyof typeof checks].permissions]);
    }
  });

  it('names codes and checks that there are', () => {
    const [, seen = ''] = page.split('## What people see');
    const [table = ''] = seen.split('\n### ');
    const rows = table.split('\n').filter((line) => line.startsWith('| '));
    const words = rows.flatMap((line) =>
      [...line.matchAll(/`([a-z_-]+)`/g)].map(([, word]) => word),
    );
    const known: readonly string[] = [...Object.keys(errorCodes), ...checkIds, 'aud', 'azp', 'kid'];
    expect(words.length).toBeGreaterThan(20);
    expect(words.filter((word) => !known.includes(word ?? ''))).toEqual([]);
  });

  it('ends every cause at a command', () => {
    for (const symptom of ['AccessDenied', 'could not be validated', 'Missing a required claim']) {
      const [, section = ''] = page.split(new RegExp(`^### .*${symptom}.*$`, 'm'));
      const body = section.split(/^##/m)[0] ?? '';
      expect(`${symptom}: ${/token-broker doctor|token-shape/.test(body)}`).toBe(
        `${symptom}: true`,
      );
    }
  });
});
