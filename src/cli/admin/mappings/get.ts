import { printDocument } from '../../output-format.ts';
import { printable } from '../../printable.ts';
import { whoAndWhy } from '../../who-and-why.ts';
import { mappingVersion } from '../admin-answers.ts';
import { adminCommand, mappingIdArgument, versionNumber } from '../admin-command.ts';
import { documentOf } from './versions.ts';

export const getMapping = adminCommand<{ readonly version?: number }>({
  name: 'get',
  description: 'show a role mapping, and who wrote it and why',
  configure(command) {
    command
      .argument('<id>', 'id of the role mapping', mappingIdArgument)
      .option('--version <number>', 'this version; default: the current one', versionNumber);
  },
  examples: [
    'token-broker mappings get orders-writer',
    'token-broker mappings get orders-writer --version 1 -o json',
  ],
  async run({ api, args: [id = ''], options: { version } }) {
    const path = version === undefined ? '' : (`/versions/${version}` as const);
    const request = { path: `/v1/role-mappings/${id}${path}`, answer: mappingVersion } as const;
    const { document, answer } = await api.ask(request);
    const mapping = documentOf(answer);
    return {
      document,
      text: (paint) =>
        [
          paint.title(printable(`# ${answer.id}, version ${answer.version}`)),
          printable(`# ${whoAndWhy(answer)}`),
          mapping === undefined ? '# deleted\n' : printDocument(mapping, 'yaml'),
        ].join('\n'),
    };
  },
});
