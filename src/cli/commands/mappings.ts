/** The command line of `token-broker mappings …`. */

import { Argument, type Command, CommanderError } from 'commander';
import { writingRules } from '../../config/mapping-rules.ts';
import type { Config } from '../../config/schema.ts';
import { defaultGuardrails } from '../../core/policy/guardrails.ts';
import type { WritingRules } from '../../core/policy/mapping-check.ts';
import { type JsonSchemaName, jsonSchemaNames } from '../../mapping-files/json-schemas.ts';
import type { PlanScope } from '../../mapping-files/mapping-plan.ts';
import { addAdminCommand } from '../admin/admin-command.ts';
import { mappingCommands } from '../admin/admin-commands.ts';
import { readConfig } from '../config-check.ts';
import { mappingsApply } from '../mappings-apply.ts';
import { mappingsExport } from '../mappings-export.ts';
import { mappingsPlan } from '../mappings-plan.ts';
import { mappingsSchema } from '../mappings-schema.ts';
import { mappingsTest } from '../mappings-test.ts';
import { mappingsValidate } from '../mappings-validate.ts';
import { exitCodes } from '../output.ts';
import { commandErrors, type Edge, type ProcessEdge } from './edge.ts';

export function addMappingsCommands(program: Command, edge: ProcessEdge): void {
  const mappings = program
    .command('mappings')
    .description(
      'work with role mappings: as files (docs/mappings-as-files.md) and by the API (docs/commands.md)',
    );
  addValidate(mappings, edge);
  addTest(mappings, edge);
  addPlan(mappings, edge);
  addApply(mappings, edge);
  addExport(mappings, edge);
  addSchema(mappings, edge);
  for (const command of mappingCommands) addAdminCommand(mappings, command, edge);
}

function addValidate(mappings: Command, edge: Edge): void {
  offline(mappings.command('validate'))
    .description('say everything that is wrong with the role mappings of a folder')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      help(
        ['token-broker mappings validate mappings/', 'token-broker mappings validate . --json'],
        '0 valid, 1 invalid, 2 wrong usage, 78 invalid configuration',
      ),
    )
    .action((directory: string, options: OfflineOptions) =>
      withRules(options, edge, (rules) =>
        mappingsValidate({ directory, rules, json: options.json ?? false, output: edge.output }),
      ),
    );
}

function addTest(mappings: Command, edge: Edge): void {
  offline(mappings.command('test'))
    .description('run the *.test.yaml files of a folder against its role mappings, offline')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      help(
        ['token-broker mappings test mappings/'],
        '0 all passed, 1 one failed or there is none, 2 wrong usage, 78 invalid configuration',
      ),
    )
    .action((directory: string, options: OfflineOptions) =>
      withRules(options, edge, (rules) =>
        mappingsTest({ directory, rules, json: options.json ?? false, output: edge.output }),
      ),
    );
}

function addPlan(mappings: Command, edge: Edge): void {
  scoped(mappings.command('plan').argument('<dir>', 'folder with role mappings'))
    .description('show what apply would change in the table')
    .requiredOption('--config <file>', 'configuration file (YAML) that names the table')
    .option('--prune', 'also delete owned mappings that are in no file')
    .option('--out <file>', 'save the plan, for apply --plan')
    .option('--json', 'print the plan as JSON')
    .option('--markdown', 'print the plan for a pull request')
    .addHelpText(
      'after',
      help(
        [
          'token-broker mappings plan mappings/ --config config.yaml',
          'token-broker mappings plan mappings/ --config config.yaml --owner payments --prune --out plan.json',
        ],
        '0 the table says what the files say, 2 it does not, 1 no plan or wrong usage, 78 invalid configuration',
      ),
    )
    .exitOverride((error) => {
      if (error.exitCode === 0) throw error;
      throw new CommanderError(exitCodes.failed, commandErrors.usageAsFailure, error.message);
    })
    .action(async (directory: string, options: PlanOptions) => {
      const config = configFor(options.config, edge);
      if (config === undefined) return;
      const { output, terminal } = edge;
      const { json = false, markdown = false, out } = options;
      const scope = scopeOf(options);
      edge.finish(
        await mappingsPlan({ directory, config, scope, json, markdown, out, output, terminal }),
      );
    });
}

function addApply(mappings: Command, edge: Edge): void {
  scoped(mappings.command('apply').argument('[dir]', 'folder with role mappings'))
    .description('make the table say what the files, or a saved plan, say')
    .requiredOption('--config <file>', 'configuration file (YAML) that names the table')
    .requiredOption('--reason <text>', 'why: kept in the history of each mapping')
    .option('--plan <file>', 'apply this plan instead of a folder')
    .option('--prune', 'delete owned mappings that are in no file; nothing is deleted without it')
    .option('--token-file <file>', 'token of an administrator: proves who applies')
    .option(
      '--audit-directory <dir>',
      'where the audit records go; default: apply in audit.directory',
    )
    .option('--yes', 'do not ask')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      help(
        [
          'token-broker mappings apply mappings/ --config config.yaml --reason "ORD-12: new service"',
          'token-broker mappings apply --plan plan.json --config config.yaml --reason "ORD-12" --yes',
        ],
        '0 done or nothing to do, 1 refused or stopped, 2 wrong usage, 3 part of it waits for a second administrator, 78 invalid configuration',
      ),
    )
    .action(async (directory: string | undefined, options: ApplyOptions, command: Command) => {
      const { plan: file, reason, yes = false, json = false } = options;
      if ((directory === undefined) === (file === undefined)) {
        command.error('error: name a folder or a --plan, and not both');
      }
      if (file !== undefined && (options.owner.length > 0 || options.adopt === true)) {
        command.error('error: --owner and --adopt are for making a plan; this one is made');
      }
      const from =
        directory === undefined
          ? ({ kind: 'plan', file: file ?? '' } as const)
          : ({ kind: 'folder', directory } as const);
      const config = configFor(options.config, edge);
      if (config === undefined) return;
      const { output, terminal, user: actor, version } = edge;
      const { tokenFile, auditDirectory } = options;
      const who = { actor, tokenFile, auditDirectory, version };
      const facts = { from, config, scope: scopeOf(options), reason, ...who, yes, json };
      edge.finish(await mappingsApply({ ...facts, output, terminal }));
    });
}

function addExport(mappings: Command, edge: Edge): void {
  mappings
    .command('export')
    .description('write what the table holds as YAML files')
    .requiredOption('--config <file>', 'configuration file (YAML) that names the table')
    .option('--directory <dir>', 'one file for each mapping, here; default: standard output')
    .option('--owner <label>', 'only mappings of this owner; may be repeated', collect, [])
    .addHelpText(
      'after',
      help(
        ['token-broker mappings export --config config.yaml --directory mappings'],
        '0 done, 1 refused or a row cannot be read, 2 wrong usage, 78 invalid configuration',
      ),
    )
    .action(async (options: { config: string; directory?: string; owner: string[] }) => {
      const config = configFor(options.config, edge);
      if (config === undefined) return;
      const { directory, owner: owners } = options;
      const { output, terminal } = edge;
      edge.finish(await mappingsExport({ config, directory, owners, output, terminal }));
    });
}

function addSchema(mappings: Command, edge: Edge): void {
  mappings
    .command('schema')
    .description('print the JSON Schema of role mapping files or of their tests, for editors')
    .addArgument(new Argument('<name>', 'of what').choices(jsonSchemaNames))
    .addHelpText(
      'after',
      help(
        ['token-broker mappings schema role-mapping > mappings/schemas/role-mapping.v1.json'],
        '0 printed, 2 wrong usage',
      ),
    )
    .action((name: JsonSchemaName) => edge.finish(mappingsSchema(name, edge.output)));
}

interface OfflineOptions {
  readonly config?: string;
  readonly matchableClaim: readonly string[];
  readonly json?: boolean;
}

interface ScopeOptions {
  readonly owner: readonly string[];
  readonly adopt?: boolean;
  readonly prune?: boolean;
}

interface PlanOptions extends ScopeOptions {
  readonly config: string;
  readonly out?: string;
  readonly json?: boolean;
  readonly markdown?: boolean;
}

interface ApplyOptions extends ScopeOptions {
  readonly config: string;
  readonly plan?: string;
  readonly reason: string;
  readonly tokenFile?: string;
  readonly auditDirectory?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

function offline(command: Command): Command {
  return command
    .argument('<path>', 'folder with role mappings, or one file of it')
    .option(
      '--config <file>',
      'configuration file (YAML) that says which pools, app clients and claims there are',
    )
    .option(
      '--matchable-claim <name>',
      'without a configuration: a claim that mappings may use; may be repeated',
      collect,
      [],
    );
}

function scoped(command: Command): Command {
  return command
    .option(
      '--owner <label>',
      'these files own mappings of this owner only; may be repeated',
      collect,
      [],
    )
    .option('--adopt', 'take over mappings that the API manages or another owner has');
}

function withRules(
  { config: file, matchableClaim }: OfflineOptions,
  edge: Edge,
  run: (rules: WritingRules) => number,
): void {
  if (file === undefined) {
    const matchableClaims = new Set(matchableClaim);
    edge.finish(run({ matchableClaims, guardrails: defaultGuardrails, pools: undefined }));
    return;
  }
  const config = configFor(file, edge);
  if (config !== undefined) edge.finish(run(writingRules(config)));
}

/** Undefined after its faults were printed and the exit code was set. */
function configFor(file: string, edge: Edge): Config | undefined {
  const source = edge.configSource(file);
  // What serves requests must not run as root; jobs that edit the table often do.
  const runtime = { ...source.runtime, userId: undefined };
  const config = readConfig({ ...source, runtime }, edge.output);
  if (config === undefined) edge.finish(exitCodes.config);
  return config;
}

function scopeOf({ owner, adopt = false, prune = false }: ScopeOptions): PlanScope {
  return { owners: owner, adopt, prune };
}

function collect(value: string, known: readonly string[]): readonly string[] {
  return [...known, value];
}

function help(examples: readonly string[], codes: string): string {
  return `\nExamples:\n${examples.map((example) => `  ${example}\n`).join('')}\nExit codes: ${codes}.`;
}
