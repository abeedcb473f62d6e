/** The edge of the process: command line, environment and exit codes. Its signals are older: src/main.ts. */

import { readFileSync } from 'node:fs';
import { url as inspectorUrl } from 'node:inspector';
import { hostname, userInfo } from 'node:os';
import { Command, CommanderError } from 'commander';
import type { TopCommand } from './cli/admin/admin-commands.ts';
import type { ConfigSource } from './cli/edge.ts';
import { type AddCommand, exitCodeOf, type ProcessEdge } from './cli/edge.ts';
import { exitCodes, type Output } from './cli/output.ts';
import { printable } from './cli/printable.ts';
import { processTerminal } from './cli/terminal.ts';
import type { RuntimeFacts } from './config/process.ts';
import { systemClock } from './kit/timing/clock.ts';

// The SDK's releases are pinned, so what it says of future ones only frightens users.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

/** What the process listens for since its first lines. */
export interface Signals {
  stopRequested(): Promise<string>;
  onReloadSignal(listener: () => void): void;
}

const output: Output = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

// Whoever reads may have seen enough and gone, as `head` does: that is no failure of the command.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

type Loading = () => Promise<AddCommand>;

/** In the order of `--help`. */
const commands: Readonly<Record<string, Loading> & Record<TopCommand, Loading>> = {
  serve: async () => (await import('./cli/commands/serve.ts')).addServeCommand,
  healthcheck: async () => (await import('./cli/commands/healthcheck.ts')).addHealthcheckCommand,
  config: async () => (await import('./cli/commands/config.ts')).addConfigCommands,
  table: async () => (await import('./cli/commands/table.ts')).addTableCommands,
  mappings: async () => (await import('./cli/commands/mappings.ts')).addMappingsCommands,
  proposals: async () => (await import('./cli/admin/admin-commands.ts')).addProposalCommands,
  login: async () => (await import('./cli/admin/login/login.ts')).addLoginCommand,
  logout: async () => (await import('./cli/admin/login/logout.ts')).addLogoutCommand,
  freeze: () => adminCommand('freeze'),
  unfreeze: () => adminCommand('unfreeze'),
  freezes: () => adminCommand('freezes'),
  'trust-policy': async () =>
    (await import('./cli/commands/trust-policy.ts')).addTrustPolicyCommand,
  'web-identity': async () =>
    (await import('./cli/commands/web-identity.ts')).addWebIdentityCommands,
  doctor: async () => (await import('./cli/commands/doctor.ts')).addDoctorCommand,
  explain: () => adminCommand('explain'),
  'credential-process': async () =>
    (await import('./cli/commands/credential-process.ts')).addCredentialProcessCommand,
  agent: async () => (await import('./cli/commands/agent.ts')).addAgentCommand,
  completion: async () => (await import('./cli/completion.ts')).completionCommand(addOthers),
  audit: async () => (await import('./cli/commands/audit.ts')).addAuditCommands,
  review: async () => (await import('./cli/commands/review.ts')).addReviewCommand,
  cloudtrail: async () => (await import('./cli/commands/cloudtrail.ts')).addCloudTrailCommands,
};

async function adminCommand(name: TopCommand) {
  const { adding, topCommands } = await import('./cli/admin/admin-commands.ts');
  return adding(topCommands[name]);
}

async function addOthers(program: Command, edge: ProcessEdge): Promise<void> {
  for (const [name, add] of Object.entries(commands)) {
    if (name !== 'completion') (await add())(program, edge);
  }
}

async function program({ stopRequested, onReloadSignal }: Signals): Promise<Command> {
  const { version, gitHead } = packageFacts();
  const command = new Command('token-broker')
    .description('Turns a Cognito JWT into scoped, short-lived AWS session credentials.')
    .version(version)
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
    version,
    revision: gitHead ?? 'unknown',
    env: process.env,
    configSource,
    stopRequested,
    onReloadSignal,
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

/** `gitHead` is npm's name for the commit that a package was built from; the image has it, a clone has not. */
function packageFacts(): { readonly version: string; readonly gitHead?: string } {
  const file = new URL('../package.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as { version: string; gitHead?: string };
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

/** Runs the command that this process was started with, and leaves its exit code. */
export async function runCommandLine(signals: Signals): Promise<void> {
  try {
    await (await program(signals)).parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has printed its own complaints.
      finish(exitCodeOf(error));
    } else {
      output.err(`${printable(error instanceof Error ? error.message : 'failed')}\n`);
      finish(exitCodes.failed);
    }
  }
}
