import { InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { readTokenFile } from '../../client/token-file.ts';
import { collected } from '../edge.ts';
import { exitCodes } from '../output.ts';
import { inLines, printable, printableJson } from '../printable.ts';
import { type AdminQuestion, type AdminResult, adminCommand, UsageError } from './admin-command.ts';
import { explanationReport } from './explanation-report.ts';

interface ExplainOptions {
  readonly tokenFile?: string;
  readonly pool?: string;
  readonly client?: string;
  readonly user?: string;
  readonly group: readonly string[];
  readonly scope: readonly string[];
  readonly claim: readonly string[];
  readonly requestId?: string;
  readonly role?: string;
  readonly duration?: number;
  readonly sourceIp?: string;
}

export const explain = adminCommand<ExplainOptions>({
  name: 'explain',
  description: 'ask a broker what it would decide for a caller, or what it has decided, and why',
  configure(command) {
    command
      .option('--token-file <file>', 'token of the caller in question')
      .option('--pool <pool>', 'instead: pool of a caller as you describe it')
      .option('--client <id>', 'its app client')
      .option('--user <sub>', 'its user')
      .option(
        '--group <name>',
        'a group of that user, or of anybody; may be repeated',
        collected,
        [],
      )
      .option('--scope <scope>', 'a scope of its token; may be repeated', collected, [])
      .option(
        '--claim <name=value>',
        'a claim of its token; name:=7 or name:=true for what is no text; may be repeated',
        collected,
        [],
      )
      .option('--request-id <id>', 'instead: a request that was decided lately')
      .option('--role <role>', 'id of a mapping or ARN of a role; default: the only one allowed')
      .option('--duration <seconds>', 'lifetime that the caller asks for', parseSeconds)
      .option('--source-ip <address>', 'address of the caller; default: of this machine');
  },
  examples: [
    'token-broker explain --token-file orders.jwt --role orders-writer',
    'token-broker explain --pool us-east-1_Local0001 --client 2reports0example0client0id --role reports-reader',
    'token-broker explain --pool us-east-1_Local0001 --group reports-team --role reports-reader',
    'token-broker explain --request-id 3f1c2a9e-0b7d-4f6e-9c55-5d0a8f1b2c3d',
  ],
  exitCodes: '0 it would be allowed, or was; 1 it would not, or was not;',
  async run(question) {
    const { requestId } = question.options;
    return requestId === undefined ? explainCaller(question) : explainRequest(question, requestId);
  },
});

async function explainCaller(question: AdminQuestion<ExplainOptions>): Promise<AdminResult> {
  const { api, options } = question;
  const { role, duration: durationSeconds, sourceIp } = options;
  const body = { ...(await about(question)), request: { role, durationSeconds, sourceIp } };
  const request = { method: 'POST', path: '/v1/explain', body, answer: z.unknown() } as const;
  const { document } = await api.ask(request);
  const { text, allowed } = explanationReport(document);
  return { document, text: () => text, code: allowed ? exitCodes.ok : exitCodes.failed };
}

/** For a group alone: a name that is nobody's. */
const anybody = 'anybody';

async function about({ options, withheld }: AdminQuestion<ExplainOptions>) {
  const { tokenFile, pool, client, user, group, scope, claim } = options;
  const described = [pool, client, user, ...group, ...scope, ...claim];
  if (tokenFile !== undefined && described.every((name) => name === undefined)) {
    return { token: withheld.keep(await readTokenFile(tokenFile)) };
  }
  if (tokenFile !== undefined) {
    throw new UsageError('Name a --token-file, or describe the caller: not both.');
  }
  const named = client !== undefined || user !== undefined;
  if (pool === undefined || !(named || group.length > 0)) {
    throw new UsageError(
      'Say about whom: --token-file, or --pool with --client, --user or --group, or --request-id.',
    );
  }
  const claims = claimsOf(claim);
  const who = named ? { client, user } : { user: anybody };
  return { caller: { pool, ...who, groups: group, scopes: scope, claims } };
}

/** `name=text`, or `name:=JSON`; one that is there again is a list. @throws UsageError */
function claimsOf(given: readonly string[]): Readonly<Record<string, unknown>> {
  const claims = new Map<string, unknown[]>();
  for (const text of given) {
    const [, name = '', typed, value = ''] = /^([^=]+?)(:?)=(.*)$/su.exec(text) ?? [];
    if (name === '') throw new UsageError('Write a --claim as name=value.');
    claims.set(name, [...(claims.get(name) ?? []), typed === ':' ? scalarOf(value) : value]);
  }
  return Object.fromEntries(
    [...claims].map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );
}

function scalarOf(text: string): unknown {
  if (/^(?:true|false|-?\d{1,15})$/.test(text)) return JSON.parse(text);
  throw new UsageError('After := a --claim has true, false or a whole number.');
}

/** What is read of a decision on record; the rest is printed as it is. */
const decisions = z.object({
  items: z.array(
    z.looseObject({ time: z.string(), outcome: z.string(), reason: z.string().optional() }),
  ),
});

/** Not decided again: groups, scopes and claims of that token are not on record, and a guess would be one. */
async function explainRequest(
  { api, note }: AdminQuestion<ExplainOptions>,
  requestId: string,
): Promise<AdminResult> {
  const query = { requestId };
  const { document, answer } = await api.ask({ path: '/v1/decisions', query, answer: decisions });
  const [decision] = answer.items;
  if (decision === undefined) {
    note(
      'The instance that answered does not remember it. The audit logs do: token-broker audit find --request-id',
    );
    return { document, text: () => '', code: exitCodes.failed };
  }
  const { outcome, reason, ...facts } = decision;
  const issued = outcome === 'issued';
  return {
    document,
    text: (paint) =>
      inLines([
        (issued ? paint.good : paint.bad)(
          printable(`${outcome.toUpperCase()}${reason === undefined ? '' : `: ${reason}`}`),
        ),
        ...Object.entries(facts).map(([name, value]) =>
          printable(`  ${name}: ${typeof value === 'string' ? value : printableJson(value)}`),
        ),
      ]),
    code: issued ? exitCodes.ok : exitCodes.failed,
  };
}

function parseSeconds(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('Use a whole number of seconds.');
  return Number(text);
}
