/** Real deadlines for tests that are not about them: the machine may be busy. */

import type { DynamoDbTimeouts } from '../../src/dynamodb/dynamodb-client.ts';
import { type Clock, systemClock } from '../../src/kit/timing/clock.ts';

/** Of a server that is there. */
export const patientTable: DynamoDbTimeouts = {
  connectionTimeoutMs: 15_000,
  requestTimeoutMs: 15_000,
};

/** The real clock. Deadlines of a second and more are the product's own; shorter ones are set by tests that are about them. */
export const patientClock: Clock = {
  ...systemClock,
  deadline: (timeoutMs, givenUp) =>
    systemClock.deadline(timeoutMs < 1_000 ? timeoutMs : 10 * timeoutMs, givenUp),
};
