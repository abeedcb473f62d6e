/** What the audit log keeps: one record per decision and per policy change. Never a token, secret key or session token. */

import type {
  ConfigReloadRecord,
  EmergencyFileRecord,
  MappingChangeRecord,
} from './change-records.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import type { RenewalRecord, WebIdentityRecord } from './issue-records.ts';
import type { AccessRecord, ExplainRecord } from './reading-records.ts';

export type AuditRecord =
  | ExchangeRecord
  | RenewalRecord
  | WebIdentityRecord
  | MappingChangeRecord
  | ExplainRecord
  | AccessRecord
  | EmergencyFileRecord
  | ConfigReloadRecord;
