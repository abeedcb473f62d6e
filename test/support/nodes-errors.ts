import { readFileSync } from 'node:fs';

/** In the isolated runner node's own errors are none to the SDK, which then loses what they say. */
export const nodesErrorsAreErrors = lookAtOne();

function lookAtOne(): boolean {
  try {
    return readFileSync('/no/such/file').length < 0;
  } catch (error) {
    return error instanceof Error;
  }
}
