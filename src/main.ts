#!/usr/bin/env node
/**
 * The first lines of the process: its signals. Everything else is loaded after them, so that a signal does what it does by
 * default only while Node itself starts.
 */

import type { Signals } from './command-line.ts';

// Node opens an inspector on this signal unless something listens for it (T48).
process.on('SIGUSR1', () => undefined);

const [, , command, subcommand] = process.argv;

// By itself it ends a process. A broker is not ended by whoever wants it to read its configuration again, also while it starts.
let onReload: (() => void) | undefined;
let reloadAsked = false;
if (command === 'serve') {
  process.on('SIGHUP', () => {
    if (onReload === undefined) reloadAsked = true;
    else onReload();
  });
  // All is written and closed. Node gives the signals that it listens for back to the system before it ends, and takes so long for it
  // that one more SIGHUP ends the process with another exit code: this ends it first.
  process.on('exit', (code) => process.exit(code));
}

let stop: Promise<string> | undefined;
const signals: Signals = {
  stopRequested() {
    stop ??= new Promise((resolveWith) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        process.once(signal, () => resolveWith(signal));
      }
    });
    return stop;
  },
  onReloadSignal(listener) {
    onReload = listener;
    if (reloadAsked) listener();
  },
};
// The first process of a container is not ended by a signal that it does not listen for: it would be lost.
const isWatch = command === 'cloudtrail' && subcommand === 'watch';
if (command === 'serve' || command === 'agent' || isWatch) void signals.stopRequested();

const { runCommandLine } = await import('./command-line.ts');
await runCommandLine(signals);
