/** What jest-circus found out, in the form that jest's reporters read. */

import { createEmptyTestResult } from '@jest/test-result';
import { formatExecError, formatResultsErrors } from 'jest-message-util';

export function testFileResult(
  { testResults, unhandledErrors, unhandledErrorsDetailed },
  { globalConfig, config, testPath },
) {
  const results = testResults.map(assertionResult);
  const count = (status) => results.filter((result) => result.status === status).length;
  const messages = [
    formatResultsErrors(results, config, globalConfig, testPath),
    ...unhandledErrorsDetailed.map((error) => formatExecError(error, config, globalConfig)),
  ].filter(Boolean);
  const result = {
    ...createEmptyTestResult(),
    failureMessage: messages.length === 0 ? null : messages.join('\n\n'),
    numFailingTests: count('failed'),
    numPassingTests: count('passed'),
    numPendingTests: count('pending'),
    numTodoTests: count('todo'),
    testFilePath: testPath,
    testResults: results,
  };
  return unhandledErrors.length === 0 ? result : errorResult(result, unhandledErrors.join('\n'));
}

/** The same, but the file as a whole has failed. */
export function errorResult(result, text) {
  const failureMessage = [result.failureMessage, text].filter(Boolean).join('\n\n');
  return { ...result, failureMessage, testExecError: { message: '', stack: text } };
}

function assertionResult({ testPath, status, errors, errorsDetailed, startedAt, ...result }) {
  const [, ...names] = testPath;
  return {
    ancestorTitles: names.slice(0, -1),
    title: names.at(-1),
    fullName: names.join(' '),
    status: statusOf(status, errors),
    duration: result.duration,
    failing: result.failing,
    failureDetails: errorsDetailed.map(readable),
    failureMessages: errors.map(readableStack),
    invocations: result.invocations,
    location: result.location,
    numPassingAsserts: result.numPassingAsserts,
    retryReasons: result.retryReasons,
    startAt: startedAt,
  };
}

function readable(error) {
  if (typeof error?.stack === 'string') error.stack = readableStack(error.stack);
  return error;
}

/** Jest shows no frame of a function without a name, in the form that Node gives it, and this runner is nobody's fault. */
function readableStack(stack) {
  return stack
    .replace(/^(\s+at) <anonymous> \((.+)\)$/gm, '$1 $2')
    .replace(/^\s+at .*\/test\/runner\/.*\n?/gm, '');
}

function statusOf(status, errors) {
  if (status === 'skip') return 'pending';
  if (status === 'todo') return 'todo';
  return errors.length > 0 ? 'failed' : 'passed';
}
