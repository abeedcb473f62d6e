#!/usr/bin/env node
/** The edge of the process: command line, environment, signals and exit codes. */

import { readFileSync, realpathSync } from 'node:fs';
import { url as inspectorUrl } from 'node:inspector';
import { hostname, userInfo } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { type AddCommand, commandErrors, type ProcessEdge } from './cli/commands/edge.ts';
import type { ConfigSource } from './cli/config-check.ts';
import { exitCodes, type Output } from './cli/output.ts';
import { processTerminal } from './cli/terminal.ts';
import type { RuntimeFacts } from './config/process.ts';
import { systemClock } from './kit/timing/clock.ts';

// The SDK's releases are pinned, so what it says of future ones only frightens users.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

// Node opens an inspector on this signal unless something listens for it (T48).
process.on('SIGUSR1', () => undefined);

const main = realpathSync(fileURLToPath(import.meta.url));
const output: Output = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

// Whoever reads may have seen enough and gone, as `head` does: that is no failure of the command.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

/** In the order of `--help`. */
const commands: Readonly<Record<string, () => Promise<AddCommand>>> = {
  serve: async () => (await import('./cli/commands/serve.ts')).addServeCommand,
  healthcheck: async () => (await import('./cli/commands/healthcheck.ts')).addHealthcheckCommand,
  config: async () => (await import('./cli/commands/config.ts')).addConfigCommands,
  table: async () => (await import('./cli/commands/table.ts')).addTableCommands,
  mappings: async () => (await import('./cli/commands/mappings.ts')).addMappingsCommands,
  proposals: async () => (await import('./cli/admin/admin-commands.ts')).addProposalCommands,
  login: async () => (await import('./cli/admin/login/login.ts')).addLoginCommand,
  freeze: () => adminCommand('freeze'),
  unfreeze: () => adminCommand('unfreeze'),
  freezes: () => adminCommand('freezes'),
  'trust-policy': async () =>
    (await import('./cli/commands/trust-policy.ts')).addTrustPolicyCommand,
  'web-identity': async () =>
    (await import('./cli/commands/web-identity.ts')).addWebIdentityCommands,
  explain: () => adminCommand('explain'),
  'credential-process': async () =>
    (await import('./cli/commands/credential-process.ts')).addCredentialProcessCommand,
  agent: async () => (await import('./cli/commands/agent.ts')).addAgentCommand,
  completion: async () => (await import('./cli/completion.ts')).completionCommand(addOthers),
  audit: async () => (await import('./cli/commands/audit.ts')).addAuditCommands,
  review: async () => (await import('./cli/commands/review.ts')).addReviewCommand,
  cloudtrail: async () => (await import('./cli/commands/cloudtrail.ts')).addCloudTrailCommands,
};

async function adminCommand(name: 'explain' | 'freeze' | 'unfreeze' | 'freezes') {
  const { adding, topCommands } = await import('./cli/admin/admin-commands.ts');
  return adding(topCommands[name]);
}

async function addOthers(program: Command, edge: ProcessEdge): Promise<void> {
  for (const [name, add] of Object.entries(commands)) {
    if (name !== 'completion') (await add())(program, edge);
  }
}

async function program(): Promise<Command> {
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

Exit codes: 0 ok, 1 the answer is no or something failed, 2 wrong usage, 78 invalid configuration.`,
    )
    .exitOverride();
  const edge: ProcessEdge = {
    output,
    terminal: processTerminal(process),
    user: currentUser(),
    version: packageVersion(),
    main,
    env: process.env,
    configSource,
    stopRequested,
    onInspectorSignal: (listener) => void process.on('SIGUSR1', listener),
    finish,
    endWithin,
  };
  const named = process.argv[2] ?? '';
  // SDKs run credential-process and containers run healthcheck again and again: load no more than they need.
  const wanted = Object.hasOwn(commands, named) ? [named] : Object.keys(commands);
  for (const name of wanted) (await commands[name]?.())?.(command, edge);
  return command;
}

function configSource(file: string): ConfigSource {
  return { file, env: process.env, runtime: runtimeFacts() };
}

function runtimeFacts(): RuntimeFacts {
  return {
    nodeOptions: process.env['NODE_OPTIONS'] ?? '',
    nodeDebug: `${process.env['NODE_DEBUG'] ?? ''}${process.env['NODE_DEBUG_NATIVE'] ?? ''}`,
    execArgv: process.execArgv,
    tlsRejectUnauthorized: process.env['NODE_TLS_REJECT_UNAUTHORIZED'],
    useEnvProxy: process.env['NODE_USE_ENV_PROXY'],
    userId: process.getuid?.(),
    inspected: inspectorUrl() !== undefined,
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

/**
 * A thread that a disk or a named pipe holds would keep the process alive, deaf to signals; not even process.exit()
 * ends before that thread does.
 */
function endWithin(ms: number): void {
  systemClock.after(ms, () => process.kill(process.pid, 'SIGKILL'));
}

try {
  await (await program()).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed its own complaints.
    const refused =
      error.code === commandErrors.usageAsFailure ? exitCodes.failed : exitCodes.usage;
    finish(error.exitCode === 0 ? exitCodes.ok : refused);
  } else {
    output.err(`${error instanceof Error ? error.message : 'failed'}\n`);
    finish(exitCodes.failed);
  }
}
