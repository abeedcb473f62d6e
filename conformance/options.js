/** The command line of a conformance command: its options, `--help`, and exit code 2 for what is wrong. */

import { parseArgs } from 'node:util';

/**
 * Undefined if the program has said all that it has to say. `checked` turns the values into what the command wants, and
 * throws what is wrong with them.
 */
export function readOptions({ usage, options, checked = (values) => values }) {
  try {
    const { values } = parseArgs({
      options: { ...options, help: { type: 'boolean', short: 'h', default: false } },
    });
    if (!values.help) return checked(values);
    console.log(usage);
  } catch (error) {
    console.error(`${error.message}\n\n${usage}`);
    process.exitCode = 2;
  }
  return undefined;
}
