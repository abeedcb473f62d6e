/** Whether some text matches both of two patterns of IAM. In the product of their lengths, whatever is in them. */
export function globsMeet(left: string, right: string): boolean {
  // Where in `right` one can be, for each place in `left`.
  let places: ReadonlySet<number> = closure(new Set([0]), right);
  for (const character of left) {
    places = closure(
      character === '*' ? anyFurther(places, right) : step(places, right, character),
      right,
    );
    if (places.size === 0) return false;
  }
  return places.has(right.length);
}

/** A star may stand for nothing. */
function closure(places: ReadonlySet<number>, pattern: string): ReadonlySet<number> {
  const all = new Set(places);
  for (const place of all) if (pattern[place] === '*') all.add(place + 1);
  return all;
}

function step(
  places: ReadonlySet<number>,
  pattern: string,
  character: string,
): ReadonlySet<number> {
  const next = new Set<number>();
  for (const place of places) {
    const other = pattern[place];
    if (other === undefined) continue;
    if (other === '*') next.add(place);
    else if (other === '?' || character === '?' || other === character) next.add(place + 1);
  }
  return next;
}

/** A star of the other pattern takes any run of this one. */
function anyFurther(places: ReadonlySet<number>, pattern: string): ReadonlySet<number> {
  const first = Math.min(...places);
  return new Set(Array.from({ length: pattern.length + 1 - first }, (_, index) => first + index));
}
