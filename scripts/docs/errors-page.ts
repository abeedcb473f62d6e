import { BrokerError, type BrokerErrorCode, errorCodes } from '../../src/core/errors.ts';
import { conditions } from '../../src/core/policy/conditions/conditions.ts';
import { denyReasons } from '../../src/core/policy/deny-reasons.ts';
import { quoted, withTables } from './table.ts';

/** docs/errors.md: status, title and Retry-After of each code, in the order of the code, and the reasons of denials. */
export function errorsPage(page: string): string {
  return withReasons(withCodes(page));
}

/** The first line of a section is written; what follows it, and headings of more than codes, stay. */
function withCodes(page: string): string {
  let written = page;
  let before = '';
  for (const code of Object.keys(errorCodes) as BrokerErrorCode[]) {
    const heading = `### ${quoted(code)}\n`;
    if (!written.includes(`\n${heading}`)) written = withSection(written, heading, before);
    const summary = new RegExp(`(?<=\\n### ${quoted(code)}\\n\\n).*`);
    written = written.replace(summary, () => summaryOf(code));
    before = heading;
  }
  return written;
}

/** After the section of the code before it, as a heading with an empty line to be summarised. */
function withSection(page: string, heading: string, before: string): string {
  const start = page.indexOf(`\n${before}`) + 1;
  const next = /\n#{2,3} /.exec(page.slice(start + before.length));
  const end = next === null ? page.length : start + before.length + next.index + 1;
  return `${page.slice(0, end)}${heading}\n\n\n${page.slice(end)}`;
}

function summaryOf(code: BrokerErrorCode): string {
  const { retryAfterSeconds } = new BrokerError(code);
  const { status, title } = errorCodes[code];
  const retry = retryAfterSeconds === undefined ? '' : ` Retry-After: ${retryAfterSeconds}.`;
  return `**${status}** ${title}.${retry}`;
}

function withReasons(page: string): string {
  const ofConditions = new Map<string, string>(
    Object.values(conditions).map(({ reason, reasonMeaning }) => [reason, reasonMeaning]),
  );
  return withTables(page, '| reason | meaning |', ({ old }) =>
    denyReasons.map((reason) => [
      quoted(reason),
      ofConditions.get(reason) ?? old.get(quoted(reason))?.[1] ?? '',
    ]),
  );
}
