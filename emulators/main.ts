/**
 * `npm run local` and `npm run demo`: emulators on loopback and the built broker in front of them. Runs from a clone
 * only; neither the image nor the package has it.
 */

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { exitCodes, type Output } from '../src/cli/output.ts';
import { demo } from './demo.ts';
import { local } from './local.ts';

interface LocalArguments {
  readonly port: number;
  readonly state: string;
  readonly fresh?: boolean;
  readonly readyFile?: string;
}

// The SDK's releases are pinned, so what it says of future ones only frightens users.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

/** The product as it is shipped: seen from build/emulators/, where this is compiled to. */
const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const { env } = process;
const output: Output = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

// Whoever reads may have seen enough and gone, as `head` does: the broker must be stopped all the same.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const program = new Command('npm run')
  .description('Emulators of Cognito, STS and DynamoDB on loopback, and the real broker in front.')
  .exitOverride();

program
  .command('local')
  .description('run issuer, STS, DynamoDB and broker on loopback, to play with')
  .option('--port <number>', 'first of eight ports in a row; 0 takes free ones', parsePort, 8080)
  .option('--state <dir>', 'where keys, tables and logs are kept', '.local')
  .option('--fresh', 'empty the state first')
  .option('--ready-file <file>', 'write everything one needs to know here, as JSON, when ready')
  .action(async ({ port, state, fresh = false, readyFile }: LocalArguments) => {
    const directory = resolve(state);
    const stopRequested = stopSignal();
    const from = { directory, port, fresh, readyFile, main, env, stopRequested, output };
    process.exitCode = await local(from);
  });

program
  .command('demo')
  .description('show the main job from end to end on a local stack of its own')
  .action(async () => {
    process.exitCode = await demo({ main, env, output });
  });

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_530) throw new InvalidArgumentError('Use 0 to 65530.');
  return port;
}

function stopSignal(): Promise<string> {
  return new Promise((resolveWith) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => resolveWith(signal));
    }
  });
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed its own complaints.
    process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  } else {
    output.err(`${error instanceof Error ? error.message : 'failed'}\n`);
    process.exitCode = exitCodes.failed;
  }
}
