/** `completion`: what a shell needs to complete commands and options, read off the commands themselves. */

import { Argument, type Command } from 'commander';
import type { AddCommand, ProcessEdge } from './edge.ts';
import { exitCodes } from './output.ts';

const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

/** Adds every other command to a program, so that it can be read. */
export type AddOthers = (program: Command, edge: ProcessEdge) => Promise<void>;

export function completionCommand(addOthers: AddOthers): AddCommand {
  return (program, edge) => {
    program
      .command('completion')
      .description('print what completes commands and options in a shell')
      .addArgument(new Argument('<shell>', 'which').choices(shells))
      .addHelpText(
        'after',
        `
Examples:
  source <(token-broker completion bash)
  source <(token-broker completion zsh)
  token-broker completion fish | source

Exit codes: 0 printed, 2 wrong usage.`,
      )
      .action(async (shell: Shell) => {
        await addOthers(program, edge);
        edge.output.out(scripts[shell](wordsOf(program)));
        edge.finish(exitCodes.ok);
      });
  };
}

/** By the words before, apart by a blank: what may come next. */
type NextWords = ReadonlyMap<string, readonly string[]>;

function wordsOf(command: Command, path: readonly string[] = []): NextWords {
  const options = command.options.flatMap(({ long }) => long ?? []);
  const names = command.commands.map((sub) => sub.name());
  const below = command.commands.flatMap((sub) => [...wordsOf(sub, [...path, sub.name()])]);
  return new Map([[path.join(' '), [...names, ...options, '--help']], ...below]);
}

/** Names and options are letters, digits and hyphens: none of them is anything else to a shell. */
function cases(words: NextWords): string {
  return [...words].map(([path, next]) => `    '${path}') next='${next.join(' ')}' ;;\n`).join('');
}

/** Of what is typed, behind the name of the program. */
const wordsBefore = {
  bash: `"\${COMP_WORDS[@]:1:COMP_CWORD-1}"`,
  zsh: `"\${(@)words[2,CURRENT-1]}"`,
};

/**
 * What bash and zsh write alike: the beginning of a function that puts into `next` what may follow `before`, the words that are
 * there. A word that names no command is an argument, or the value of an option: what may follow stays as it was.
 */
function nextWords(words: NextWords, before: string): string {
  return `_token_broker_next() {
  case $1 in
${cases(words)}    *) return 1 ;;
  esac
}
_token_broker() {
  local next='' at='' word
  for word in ${before}; do
    if _token_broker_next "\${at:+$at }$word"; then at="\${at:+$at }$word"; fi
  done
  _token_broker_next "$at"
`;
}

const scripts: Readonly<Record<Shell, (words: NextWords) => string>> = {
  bash: (
    words,
  ) => `${nextWords(words, wordsBefore.bash)}  COMPREPLY=($(compgen -W "$next" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _token_broker token-broker
`,
  zsh: (words) => `${nextWords(words, wordsBefore.zsh)}  compadd -- \${=next}
  _files
}
compdef _token_broker token-broker
`,
  fish: (words) => `function __token_broker_next
  switch "$argv[1]"
${fishCases(words)}    case '*'
      return 1
  end
end
function __token_broker
  set -l at
  for word in (commandline -opc)[2..-1]
    if __token_broker_next (string join ' ' $at $word) >/dev/null
      set -a at $word
    end
  end
  __token_broker_next (string join ' ' $at)
end
complete -c token-broker -a '(__token_broker)'
`,
};

function fishCases(words: NextWords): string {
  return [...words]
    .map(([path, next]) => `    case '${path}'\n      printf '%s\\n' ${next.join(' ')}\n`)
    .join('');
}
