#!/usr/bin/env node
/** The edge of the process: command line, environment, signals and exit codes. */

import { readFileSync, realpathSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { auditFind } from './cli/audit-find.ts';
import { auditVerify } from './cli/audit-verify.ts';
import type { Edge } from './cli/commands/edge.ts';
import { addExplainCommand } from './cli/commands/explain.ts';
import { addMappingsCommands, planUsageError } from './cli/commands/mappings.ts';
import { type ConfigSource, configCheck, readConfig } from './cli/config-check.ts';
import { healthcheck } from './cli/healthcheck.ts';
import { exitCodes, type Output } from './cli/output.ts';
import { serve } from './cli/serve.ts';
import { tableCreate } from './cli/table-create.ts';
import { processTerminal } from './cli/terminal.ts';
import type { RuntimeFacts } from './config/profile.ts';

// The SDK's releases are pinned, so what it says of future ones only frightens users.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

const main = realpathSync(fileURLToPath(import.meta.url));
const output: Output = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

// Whoever reads may have seen enough and gone, as `head` does: that is no failure of the command.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

function program(): Command {
  const command = new Command('token-broker')
    .description('Turns a Cognito JWT into scoped, short-lived AWS session credentials.')
    .version(packageVersion())
    .configureHelp({ showGlobalOptions: true })
    .addHelpText(
      'after',
      `
Examples:
  token-broker serve --config /etc/token-broker/config.yaml
  token-broker config check --config config.yaml
  token-broker mappings plan mappings/ --config config.yaml
  token-broker audit verify --directory /var/log/token-broker
  token-broker local

Exit codes: 0 ok, 1 the answer is no or something failed, 2 wrong usage, 78 invalid configuration.`,
    )
    .exitOverride();

  command
    .command('serve')
    .description('run the broker until SIGTERM or SIGINT')
    .requiredOption('--config <file>', 'configuration file (YAML)')
    .option('--ready-file <file>', 'write the listeners’ URLs here, as JSON, once they answer')
    .action(async (options: { config: string; readyFile?: string }) => {
      const config = readConfig(configSource(options.config), output);
      if (config === undefined) return finish(exitCodes.config);
      return finish(
        await serve({
          config,
          build: { version: packageVersion(), node: process.version },
          readyFile: options.readyFile,
          stopRequested: stopRequested(),
        }),
      );
    });

  command
    .command('healthcheck')
    .description('ask a probe; exit 0 if it says yes')
    .option('--url <url>', 'the probe', 'http://127.0.0.1:9090/livez')
    .action(async ({ url }: { url: string }) => finish(await healthcheck(url, output)));

  const config = command.command('config').description('work with configuration files');
  config
    .command('check')
    .description('say everything that is wrong with a configuration')
    .requiredOption('--config <file>', 'configuration file (YAML)')
    .action((options: { config: string }) =>
      finish(configCheck(configSource(options.config), output)),
    );

  const table = command.command('table').description('work with the role-mapping table');
  table
    .command('create')
    .description('create the DynamoDB table that the configuration names, unless it exists')
    .requiredOption('--config <file>', 'configuration file (YAML)')
    .action(async (options: { config: string }) => {
      const loaded = readConfig(configSource(options.config), output);
      finish(loaded === undefined ? exitCodes.config : await tableCreate(loaded, output));
    });

  const edge: Edge = {
    output,
    terminal: processTerminal(process),
    user: currentUser(),
    configSource,
    finish,
  };
  addMappingsCommands(command, edge);
  addExplainCommand(command, edge);

  const audit = command.command('audit').description('work with the audit log');
  audit
    .command('verify')
    .description('check the hash chain; name the first record that is altered, missing or moved')
    .requiredOption('--directory <dir>', 'folder of the audit log')
    .option('--expect-head <hash>', 'hash of a record noted earlier that must be there')
    .option(
      '--first-seq <number>',
      'number of the first record, if earlier files were archived',
      parseSeq,
    )
    .option('--json', 'print the result as JSON')
    .action(async (options: AuditVerifyArguments) => {
      finish(await auditVerify({ ...options, json: options.json ?? false, out: output.out }));
    });
  audit
    .command('find')
    .description('find records, such as those of one access key id')
    .requiredOption('--directory <dir>', 'folder of the audit log')
    .option('--access-key-id <id>', 'credentials that were handed out')
    .option('--request-id <id>', 'one request')
    .option('--subject <sub>', 'subject of the caller')
    .option('--client-id <id>', 'app client of the caller')
    .option('--role <arn>', 'role that was asked for or given')
    .option('--since <time>', 'not before this time (RFC 3339)')
    .option('--until <time>', 'not after this time (RFC 3339)')
    .option('--json', 'print one JSON object per line')
    .action(async (options: { directory: string; json?: boolean }) => {
      finish(await auditFind({ ...options, json: options.json ?? false, out: output.out }));
    });

  command
    .command('local')
    .description('run issuer, STS, DynamoDB and broker on loopback, to play with')
    .option('--port <number>', 'first of six ports in a row; 0 takes free ones', parsePort, 8080)
    .option('--state <dir>', 'where keys, tables and logs are kept', '.local')
    .option('--fresh', 'empty the state first')
    .option('--ready-file <file>', 'write everything one needs to know here, as JSON, when ready')
    .action(
      async (options: { port: number; state: string; fresh?: boolean; readyFile?: string }) => {
        const { local } = await partOfFullBuild(() => import('./cli/local.ts'));
        finish(
          await local({
            directory: resolve(options.state),
            port: options.port,
            fresh: options.fresh ?? false,
            readyFile: options.readyFile,
            main,
            env: process.env,
            stopRequested: stopRequested(),
            output,
          }),
        );
      },
    );

  command
    .command('demo')
    .description('show the main job from end to end on a local stack of its own')
    .action(async () => {
      const { demo } = await partOfFullBuild(() => import('./cli/demo.ts'));
      finish(await demo({ main, env: process.env, output }));
    });

  return command;
}

/** Images leave the local stack out, so that nothing in production can be made to trust it. */
async function partOfFullBuild<Module>(load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new CommanderError(
      exitCodes.usage,
      'token-broker.notInThisBuild',
      'error: this build has no local stack; run it from a clone of the repository',
    );
  }
}

function configSource(file: string): ConfigSource {
  return { file, env: process.env, runtime: runtimeFacts() };
}

function runtimeFacts(): RuntimeFacts {
  return {
    nodeOptions: process.env['NODE_OPTIONS'] ?? '',
    execArgv: process.execArgv,
    tlsRejectUnauthorized: process.env['NODE_TLS_REJECT_UNAUTHORIZED'],
    userId: process.getuid?.(),
  };
}

/** As the history of a mapping names whoever edits it from here; nothing proves it. */
function currentUser(): string {
  let name: string;
  try {
    name = userInfo().username;
  } catch {
    // Containers run users that no file knows.
    name = `uid-${process.getuid?.() ?? 'unknown'}`;
  }
  return `cli:${name}@${hostname()}`.replace(/[^\x21-\x7e]/g, '-').slice(0, 200);
}

function packageVersion(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_530) throw new InvalidArgumentError('Use 0 to 65530.');
  return port;
}

interface AuditVerifyArguments {
  readonly directory: string;
  readonly expectHead?: string;
  readonly firstSeq?: number;
  readonly json?: boolean;
}

function parseSeq(text: string): number {
  const seq = Number(text);
  if (!/^[1-9]\d{0,15}$/.test(text)) throw new InvalidArgumentError('Use a whole number from 1.');
  return seq;
}

function stopRequested(): Promise<string> {
  return new Promise((resolveWith) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => resolveWith(signal));
    }
  });
}

/** Not process.exit(): what was written to a pipe must get out first. */
function finish(code: number): void {
  process.exitCode = code;
}

try {
  await program().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed its own complaints.
    if (error.code === 'token-broker.notInThisBuild') output.err(`${error.message}\n`);
    const refused = error.code === planUsageError ? exitCodes.failed : exitCodes.usage;
    finish(error.exitCode === 0 ? exitCodes.ok : refused);
  } else {
    output.err(`${error instanceof Error ? error.message : 'failed'}\n`);
    finish(exitCodes.failed);
  }
}
