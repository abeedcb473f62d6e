import { randomUUID } from 'node:crypto';
import { type BrokerError, errorCodes } from '../core/errors.ts';
import { remember } from '../core/remember.ts';

/** Stable names, one per code; docs/errors.md explains each. */
const typePrefix = 'urn:token-broker:error:';

/** An error as problem details (RFC 9457). */
export function problemOf(error: BrokerError, requestId: string) {
  return {
    type: typePrefix + error.code,
    title: errorCodes[error.code].title,
    status: error.status,
    code: error.code,
    detail: error.detail,
    errors: error.faults,
    choices: error.choices,
    request_id: requestId,
  };
}

/** The same as text. Of an error that is answered again and again, which is frozen, only the id is printed each time. */
export function problemText(error: BrokerError, requestId: string): string {
  if (!Object.isFrozen(error)) return JSON.stringify(problemOf(error, requestId));
  const { start, end } = printedAround(error);
  return start + requestId + end;
}

/** Printed with an id that nothing else in it can be: another of the same form takes its place. */
const printedAround = remember((error: BrokerError) => {
  const id = randomUUID();
  const [start = '', end = ''] = JSON.stringify(problemOf(error, id)).split(id);
  return { start, end };
});
