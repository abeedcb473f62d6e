/** Looks before it rests: most of what is waited for is a few turns of the event loop away. */
const quickLooks = 20;

/** Lets real I/O go on until the condition holds; a test that waits in vain ends by its own time limit. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let look = 0; !(await condition()); look++) {
    // What takes longer must not be held up by the looking.
    if (look < quickLooks) await new Promise((resolve) => setImmediate(resolve));
    else await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
