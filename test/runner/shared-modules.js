/**
 * What `npm test` runs a test file with: jest's own functions, but in Node as it is instead of in a realm of the file's
 * own. Modules are loaded once for all files of a worker. `npm run test:all` runs each file by itself.
 *
 * So a file must leave nothing behind for the next one, and fails if it does.
 */

import { register } from 'node:module';
import { pathToFileURL } from 'node:url';
import { jestExpect } from '@jest/expect';
import { addEventHandler, getState, resetState, run } from 'jest-circus';
import { whatIsOpen, whatWasLeft } from './leftovers.js';
import { errorResult, testFileResult } from './results.js';
import { ownTemporaryFolder } from './temporary-folder.js';
import { failOnUnhandledRejections } from './unhandled-rejections.js';

register('./typescript-hooks.js', import.meta.url);
addEventHandler(countAssertions);
addEventHandler(failOnUnhandledRejections);

/** The function that `testRunner` in jest's configuration stands for. */
export default async function runTestFile(globalConfig, config, _environment, _runtime, testPath) {
  const context = { globalConfig, config, testPath };
  // Jest has put a function here that knows no file which Node has loaded.
  Error.prepareStackTrace = undefined;
  process.setSourceMapsEnabled(true);
  const temporary = ownTemporaryFolder();
  const before = whatIsOpen();
  resetState();
  const state = getState();
  state.testTimeout = globalConfig.testTimeout ?? config.testTimeout;
  state.randomize = globalConfig.randomize;
  state.seed = globalConfig.seed;
  jestExpect.setState({ expand: globalConfig.expand, testPath });
  await dispatch({
    name: 'setup',
    parentProcess: process,
    runtimeGlobals: {},
    testNamePattern: globalConfig.testNamePattern,
  });
  try {
    await import(pathToFileURL(testPath).href);
    const result = testFileResult(await run(), context);
    const left = await whatWasLeft(before);
    return left === undefined ? result : errorResult(result, left);
  } finally {
    temporary.remove();
    await dispatch({ name: 'teardown' });
  }
}

/** As jest-circus does it, which keeps the function to itself. */
async function dispatch(event) {
  for (const handler of globalThis[Symbol.for('EVENT_HANDLERS')]) await handler(event, getState());
}

function countAssertions({ name, test }) {
  if (name === 'test_start') jestExpect.setState({ currentTestName: test.name });
  if (name !== 'test_done') return;
  const { suppressedErrors, numPassingAsserts } = jestExpect.getState();
  test.numPassingAsserts = numPassingAsserts;
  const expected = jestExpect.extractExpectedAssertionsErrors().map(({ error }) => error);
  test.errors.push(...suppressedErrors, ...expected);
  jestExpect.setState({ suppressedErrors: [] });
}
