/** The command line of `token-broker mappings …`. */

import { Argument, type Command } from 'commander';
import type { Config } from '../../config/schema.ts';
import type { WritingRules } from '../../core/policy/mapping-check.ts';
import {
  type JsonSchemaName,
  jsonSchemaNames,
  jsonSchemaText,
} from '../../mapping-files/json-schemas.ts';
import type { PlanScope } from '../../mapping-files/mapping-plan.ts';
import { addAdminCommand } from '../admin/admin-command.ts';
import { mappingCommands } from '../admin/admin-commands.ts';
import { readSession, sessionFile } from '../admin/session.ts';
import { collected, type Edge, helpText, type ProcessEdge, usageFails } from '../edge.ts';
import { configFor, rulesFor } from '../files-rules.ts';
import { mappingsApply } from '../mappings-apply.ts';
import { mappingsExport } from '../mappings-export.ts';
import { mappingsPlan } from '../mappings-plan.ts';
import { mappingsTest } from '../mappings-test.ts';
import { mappingsUpdate } from '../mappings-update.ts';
import { mappingsValidate } from '../mappings-validate.ts';
import { exitCodes } from '../output.ts';
import { addRulesOptions, type RulesOptions } from '../rules-options.ts';

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
      helpText(
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
      helpText(
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
  usageFails(scoped(mappings.command('plan').argument('<dir>', 'folder with role mappings')))
    .description('show what apply would change in the table')
    .requiredOption('--config <file>', 'configuration file (YAML) that names the table')
    .option('--prune', 'also delete owned mappings that are in no file')
    .option('--out <file>', 'save the plan, for apply --plan')
    .option('--json', 'print the plan as JSON')
    .option('--markdown', 'print the plan for a pull request')
    .addHelpText(
      'after',
      helpText(
        [
          'token-broker mappings plan mappings/ --config config.yaml',
          'token-broker mappings plan mappings/ --config config.yaml --owner payments --prune --out plan.json',
        ],
        '0 the table says what the files say, 2 it does not, 1 no plan or wrong usage, 78 invalid configuration',
      ),
    )
    .action(async (directory: string, options: PlanOptions) => {
      const config = configOf(options.config, edge);
      if (config === undefined) return;
      const { output, terminal } = edge;
      const { json = false, markdown = false, out } = options;
      const scope = scopeOf(options);
      edge.finish(
        await mappingsPlan({ directory, config, scope, json, markdown, out, output, terminal }),
      );
    });
}

function addApply(mappings: Command, edge: ProcessEdge): void {
  scoped(mappings.command('apply').argument('[dir]', 'folder with role mappings'))
    .description('make the table say what the files, or a saved plan, say')
    .requiredOption('--config <file>', 'configuration file (YAML) that names the table')
    .requiredOption('--reason <text>', 'why: kept in the history of each mapping')
    .option('--plan <file>', 'apply this plan instead of a folder')
    .option('--prune', 'delete owned mappings that are in no file; nothing is deleted without it')
    .option('--token-file <file>', 'token of an administrator: proves who applies')
    .option('--signed-in', 'instead: whoever signed in with token-broker login applies')
    .option(
      '--audit-directory <dir>',
      'where the audit records go; default: apply in audit.directory',
    )
    .option('--yes', 'do not ask')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      helpText(
        [
          'token-broker mappings apply mappings/ --config config.yaml --reason "ORD-12: new service"',
          'token-broker mappings apply --plan plan.json --config config.yaml --reason "ORD-12" --yes',
        ],
        '0 done or nothing to do, 1 refused or stopped, 2 wrong usage, 3 part of it waits for a second administrator, 78 invalid configuration',
      ),
    )
    .action(async (directory: string | undefined, options: ApplyOptions, command: Command) => {
      const { plan: file, reason, yes = false, json = false } = options;
      requireApplicable(command, directory, options);
      const from =
        directory === undefined
          ? ({ kind: 'plan', file: file ?? '' } as const)
          : ({ kind: 'folder', directory } as const);
      const token = tokenOf(edge, options);
      if (options.signedIn === true && token === undefined) {
        command.error('error: nobody is signed in here: token-broker login');
      }
      const config = configOf(options.config, edge);
      if (config === undefined) return;
      const { output, terminal, user: actor, version } = edge;
      const { tokenFile, auditDirectory } = options;
      const who = { actor, tokenFile, token, auditDirectory, version };
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
    .option('--update <dir>', 'instead: bring into these files what was changed outside of Git')
    .option('--owner <label>', 'only mappings of this owner; may be repeated', collected, [])
    .addHelpText(
      'after',
      helpText(
        [
          'token-broker mappings export --config config.yaml --directory mappings',
          'token-broker mappings export --config config.yaml --update mappings/',
        ],
        '0 done, 1 refused, a row cannot be read, or a mapping was changed on both sides; 2 wrong usage, 78 invalid configuration',
      ),
    )
    .action(async (options: ExportOptions, command: Command) => {
      const { directory, update, owner: owners } = options;
      if (directory !== undefined && update !== undefined) {
        command.error('error: name a --directory or an --update, and not both');
      }
      const config = configOf(options.config, edge);
      if (config === undefined) return;
      const { output, terminal } = edge;
      const facts = { config, owners, output, terminal };
      edge.finish(
        update === undefined
          ? await mappingsExport({ ...facts, directory })
          : await mappingsUpdate({ ...facts, directory: update }),
      );
    });
}

function addSchema(mappings: Command, edge: Edge): void {
  mappings
    .command('schema')
    .description('print the JSON Schema of role mapping files or of their tests, for editors')
    .addArgument(new Argument('<name>', 'of what').choices(jsonSchemaNames))
    .addHelpText(
      'after',
      helpText(
        ['token-broker mappings schema role-mapping > mappings/schemas/role-mapping.v1.json'],
        '0 printed, 2 wrong usage',
      ),
    )
    .action((name: JsonSchemaName) => {
      edge.output.out(jsonSchemaText(name));
      edge.finish(exitCodes.ok);
    });
}

function requireApplicable(
  command: Command,
  directory: string | undefined,
  { plan, owner, adopt, tokenFile, signedIn }: ApplyOptions,
): void {
  if ((directory === undefined) === (plan === undefined)) {
    command.error('error: name a folder or a --plan, and not both');
  }
  if (plan !== undefined && (owner.length > 0 || adopt === true)) {
    command.error('error: --owner and --adopt are for making a plan; this one is made');
  }
  if (tokenFile !== undefined && signedIn === true) {
    command.error('error: name a --token-file or say --signed-in, and not both');
  }
}

interface OfflineOptions extends RulesOptions {
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

interface ExportOptions {
  readonly config: string;
  readonly directory?: string;
  readonly update?: string;
  readonly owner: readonly string[];
}

interface ApplyOptions extends ScopeOptions {
  readonly config: string;
  readonly plan?: string;
  readonly reason: string;
  readonly tokenFile?: string;
  readonly signedIn?: boolean;
  readonly auditDirectory?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

function offline(command: Command): Command {
  return addRulesOptions(
    command.argument('<path>', 'folder with role mappings, or one file of it'),
  );
}

function scoped(command: Command): Command {
  return command
    .option(
      '--owner <label>',
      'these files own mappings of this owner only; may be repeated',
      collected,
      [],
    )
    .option('--adopt', 'take over mappings that the API manages or another owner has');
}

async function withRules(
  options: RulesOptions,
  edge: Edge,
  run: (rules: WritingRules) => number | Promise<number>,
): Promise<void> {
  const rules = rulesFor(options, edge);
  edge.finish(rules === undefined ? exitCodes.config : await run(rules));
}

/** Undefined after its faults were printed and the exit code was set. */
function configOf(file: string, edge: Edge): Config | undefined {
  const config = configFor(file, edge);
  if (config === undefined) edge.finish(exitCodes.config);
  return config;
}

/** Of whoever is signed in, where that is asked for; it is shown to nobody, and judged here. */
function tokenOf({ env }: ProcessEdge, { signedIn }: ApplyOptions): string | undefined {
  if (signedIn !== true) return undefined;
  return readSession(sessionFile(env))?.token;
}

function scopeOf({ owner, adopt = false, prune = false }: ScopeOptions): PlanScope {
  return { owners: owner, adopt, prune };
}
