/** The actions of AWS, and the resources that each can name, as of a day. For what warns only: AWS adds some every week. */

import { brotliDecompressSync } from 'node:zlib';
import { iamActionsDay, packedIamActions } from './packed-table.ts';

export interface IamAction {
  readonly name: string;
  /** Patterns of ARNs: `*` is anything, `#` something without a slash. Undefined where that is not known; empty: it names none. */
  readonly resources: readonly string[] | undefined;
}

/** By service, and then by name, both in lower case: IAM compares them so. */
export type IamActions = ReadonlyMap<string, ReadonlyMap<string, IamAction>>;

export interface IamTable {
  readonly day: string;
  readonly services: IamActions;
}

let unpacked: IamTable | undefined;

export function iamTable(): IamTable {
  unpacked ??= { day: iamActionsDay, services: unpack() };
  return unpacked;
}

function unpack(): IamActions {
  const text = brotliDecompressSync(Buffer.from(packedIamActions, 'base64')).toString('utf8');
  return new Map(text.split('\n').map(serviceIn));
}

function serviceIn(line: string): readonly [string, ReadonlyMap<string, IamAction>] {
  const [service = '', patterns = '', actions = ''] = line.split('\t');
  const arns = patterns.split(',');
  return [
    service,
    new Map(
      actions.split(',').map((item) => {
        const [name = '', ...numbers] = item.split(' ');
        const resources = numbers.includes('?')
          ? undefined
          : numbers.map((number) => arns[Number(number)] ?? '');
        return [name.toLowerCase(), { name, resources }];
      }),
    ),
  ];
}
