/**
 * What the conformance suites have in common: a local stack, a program for each language against it, and a plain
 * account of what ran. A language whose tools are not installed is skipped and said so; any other must succeed.
 */

import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { interrupt, versionOf } from './commands.js';
import { startLocalStack } from './local-stack.js';
import { readOptions } from './options.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * `languages`: `{ name, tools, run }` each. `tools` are `{ name, command, args }`; `run` gets `{ directory, stack,
 * say }`, may use `directory` as it likes from one run to the next, and returns what to report as versions.
 * `startStack` gives another stack than the local one. Sets the exit code: 1 if a language failed, 2 if the command
 * line is wrong.
 */
export async function runSuite({ name, about, languages, startStack = startLocalStack }) {
  const options = optionsOf({ name, about, languages });
  if (options === undefined) return;
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  const chosen = languages.filter((language) => options.only.includes(language.name));
  const { ready, missing } = withTools(chosen);
  const results = missing.map(({ language, tools }) => ({
    language: language.name,
    outcome: options.requireAll ? 'FAILED' : 'skipped',
    details: `not installed: ${tools.join(', ')}`,
  }));
  if (ready.length > 0) results.push(...(await runAll(ready, name, startStack)));
  report(name, results);
  if (results.some(({ outcome }) => outcome === 'FAILED')) process.exitCode = 1;
}

async function runAll(languages, suite, startStack) {
  console.error('Starting what it runs against …');
  const stack = await startStack();
  const results = [];
  try {
    // One after the other: each may load all the cores with a compiler.
    for (const language of languages) results.push(await runOne(language, suite, stack));
  } finally {
    await stack.stop();
  }
  return results;
}

async function runOne(language, suite, stack) {
  const directory = join(root, '.local', 'conformance', suite, language.name);
  mkdirSync(directory, { recursive: true });
  const startedAt = performance.now();
  const say = (text) => console.error(`[${language.name}] ${text}`);
  try {
    const details = await language.run({ directory, stack, say });
    return { language: language.name, outcome: 'passed', details: timed(details, startedAt) };
  } catch (error) {
    say(error.message);
    return { language: language.name, outcome: 'FAILED', details: timed('see above', startedAt) };
  }
}

const timed = (text, startedAt) =>
  `${text}; ${((performance.now() - startedAt) / 1000).toFixed(0)} s`;

function withTools(languages) {
  const found = new Map();
  const has = ({ name, command, args }) => {
    if (!found.has(name)) found.set(name, versionOf(command, args));
    return found.get(name) !== undefined;
  };
  const checked = languages.map((language) => ({
    language,
    tools: language.tools.filter((tool) => !has(tool)).map((tool) => tool.name),
  }));
  return {
    ready: checked.filter(({ tools }) => tools.length === 0).map(({ language }) => language),
    missing: checked.filter(({ tools }) => tools.length > 0),
  };
}

function report(suite, results) {
  console.log(`\nconformance:${suite}`);
  for (const { language, outcome, details } of results) {
    console.log(`  ${language.padEnd(12)} ${outcome.padEnd(8)} ${details}`);
  }
}

function optionsOf({ name, about, languages }) {
  const known = languages.map((language) => language.name);
  const usage = `Usage: npm run conformance:${name} -- [--only ${known.slice(0, 2).join(',')}] [--require-all]

${about}

  --only LIST     Only these of ${known.join(', ')}.
  --require-all   Fail where the tools of a language are not installed, instead of skipping it.
`;
  return readOptions({
    usage,
    options: { only: { type: 'string' }, 'require-all': { type: 'boolean', default: false } },
    checked(values) {
      const only = values.only?.split(',') ?? known;
      const unknown = only.filter((language) => !known.includes(language));
      if (unknown.length > 0) throw new Error(`Unknown: ${unknown.join(', ')}`);
      return { only, requireAll: values['require-all'] };
    },
  });
}
