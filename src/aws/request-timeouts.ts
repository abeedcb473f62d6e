/** For an SDK client's `requestHandler`: how long it waits for a connection, and for an answer; in milliseconds. */
export function requestTimeouts(
  requestTimeout: number,
  connectionTimeout: number = Math.min(1_000, requestTimeout),
) {
  // Without the last the SDK only warns when a request times out.
  return { connectionTimeout, requestTimeout, throwOnRequestTimeout: true };
}
