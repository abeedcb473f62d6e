/** `ask` for each of them, so many at a time; what it gave, in the order in which that came. */
export async function atOnce(ask, all, connections) {
  const queue = [...all];
  const given = [];
  await Promise.all(
    Array.from({ length: connections }, async () => {
      for (let one = queue.pop(); one !== undefined; one = queue.pop()) given.push(await ask(one));
    }),
  );
  return given;
}
