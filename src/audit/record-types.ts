import type { AuditRecord } from '../core/records/audit-record.ts';
import type { LogEvent } from './log-event.ts';

const types: Readonly<Record<(AuditRecord | LogEvent)['type'], true>> = {
  exchange: true,
  renewal: true,
  web_identity: true,
  mapping_change: true,
  explain: true,
  access: true,
  emergency_file: true,
  config_reload: true,
  audit_opened: true,
  audit_recovered: true,
  audit_resumed: true,
  audit_taken_over: true,
  audit_chain_broken: true,
};

/** What a line of the log can be. */
export const recordTypes: readonly string[] = Object.keys(types);
