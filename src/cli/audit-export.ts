/** `audit export`: records in the form of other systems. */

import { csvCell, csvCells, csvHeader } from '../audit/export-csv.ts';
import { ecsEvent } from '../audit/export-ecs.ts';
import { ocsfEvent } from '../audit/export-ocsf.ts';
import type { LoggedRecord } from '../audit/logged-record.ts';
import { asciiJson } from '../kit/json/ascii-json.ts';
import { type AuditSearchOptions, searchAudit } from './audit-search.ts';
import { exitCodes, type Output, refuse } from './output.ts';
import { printable } from './printable.ts';
import { unreadableLog } from './unreadable-log.ts';

interface ExportForm {
  readonly header?: string;
  readonly line: (record: LoggedRecord) => string | undefined;
}

const forms = {
  ocsf: { line: (record) => json(ocsfEvent(record)) },
  ecs: { line: (record) => json(ecsEvent(record)) },
  csv: {
    header: csvHeader,
    line: (record) =>
      csvCells(record)
        .map((text) => csvCell(printable(text)))
        .join(','),
  },
} satisfies Record<string, ExportForm>;

export type ExportFormat = keyof typeof forms;
export const exportFormats = Object.keys(forms) as readonly ExportFormat[];

export interface AuditExportOptions extends AuditSearchOptions {
  readonly format: ExportFormat;
  readonly output: Output;
}

/** Exit code: 0 done, 2 if there was no log to read, or wrong usage. */
export async function auditExport(options: AuditExportOptions): Promise<number> {
  const { format, output, ...wanted } = options;
  const search = await searchAudit(wanted);
  if (typeof search === 'string') return refuse(output, search, exitCodes.usage);
  const { header, line }: ExportForm = forms[format];
  if (header !== undefined) output.out(`${header}\n`);
  try {
    for await (const { record } of search.records) {
      const text = line(record);
      if (text !== undefined) output.out(`${text}\n`);
    }
  } catch (error) {
    return refuse(output, unreadableLog(error), exitCodes.usage);
  }
  return exitCodes.ok;
}

function json(event: object | undefined): string | undefined {
  return event === undefined ? undefined : asciiJson(JSON.stringify(event));
}
