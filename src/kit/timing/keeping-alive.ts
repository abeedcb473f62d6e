/** The outcome of `work`. The timers of a clock do not keep the process alive; here someone is waiting. */
export async function keepingAlive<Value>(work: Promise<Value>): Promise<Value> {
  const alive = setInterval(() => {}, 60_000);
  try {
    return await work;
  } finally {
    clearInterval(alive);
  }
}
