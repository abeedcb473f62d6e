/** Tables of a page whose rows are written from code, between prose that is written by hand. */

export type Row = readonly string[];

export interface TablePlace {
  /** The heading of whatever level that it stands under, without its signs. */
  readonly heading: string;
  /** Its rows as they are, by their first cells. */
  readonly old: ReadonlyMap<string, Row>;
}

/**
 * The page with the rows of every table that has this header replaced.
 *
 * @throws Error if there is none
 */
export function withTables(
  page: string,
  header: string,
  rows: (place: TablePlace) => readonly Row[],
): string {
  if (!page.split('\n').includes(header)) throw new Error(`No table has the header "${header}".`);
  const written: string[] = [];
  let heading = '';
  let old: Map<string, Row> | undefined;
  const finish = () => {
    if (old === undefined) return;
    for (const cells of rows({ heading, old })) written.push(`| ${cells.join(' | ')} |`);
    old = undefined;
  };
  for (const line of page.split('\n')) {
    if (!line.startsWith('|')) finish();
    else if (old !== undefined && !line.startsWith('|-')) {
      const cells = cellsOf(line);
      old.set(cells[0] ?? '', cells);
      continue;
    }
    heading = /^#+ (.+)$/.exec(line)?.[1] ?? heading;
    written.push(line);
    if (line === header) old = new Map();
  }
  finish();
  return written.join('\n');
}

/**
 * Of the tables with this header, the first gets the first of these sets of names, and so on. Each name keeps the meaning that
 * the page gives it; a new one has an empty cell to fill in.
 *
 * @throws Error if there are more tables than sets, or fewer
 */
export function withMeanings(
  page: string,
  header: string,
  ...sets: readonly (readonly string[])[]
): string {
  let table = 0;
  const written = withTables(page, header, ({ old }) => {
    const names = sets[table] ?? [];
    table += 1;
    return names.map((name) => [quoted(name), old.get(quoted(name))?.[1] ?? '']);
  });
  if (table === sets.length) return written;
  throw new Error(`There are ${table} tables with the header "${header}", not ${sets.length}.`);
}

export function quoted(name: string): string {
  return `\`${name}\``;
}

function cellsOf(row: string): Row {
  return row
    .replace(/^\| | \|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
}
