/** Records of changes to what decides: the policy, the emergency file, the configuration. */

import type { BrokerErrorCode } from '../errors.ts';
import type { EmergencyDeny } from '../policy/emergency-denies.ts';
import type { RoleMapping } from '../policy/role-mapping.ts';
import type { AuditedToken } from './audited-token.ts';
import type { RecordedRequest } from './recorded-request.ts';

/**
 * An attempt to change a role mapping. `authorized` is durable before the change is made; a later record of the
 * same request says if it was not made after all.
 */
export interface MappingChangeRecord extends RecordedRequest {
  readonly type: 'mapping_change';
  /**
   * `authorized`: every check has passed and the write follows; `refused`: nothing was written, on the merits
   * of the request; `failed`: nothing was written, because something did not work; `unknown`: the table did
   * not say whether it wrote; `unchanged`: nothing was written, because the mapping says that already.
   */
  readonly outcome:
    | 'authorized'
    | 'unchanged'
    /** It waits for a second administrator as the proposal that is named. */
    | 'proposed'
    | 'rejected'
    | 'withdrawn'
    | 'refused'
    | 'failed'
    | 'unknown';
  readonly code?: BrokerErrorCode | undefined;
  readonly token?: AuditedToken | undefined;
  /** As the history of the table names the editor; absent if the attempt was refused before anybody was known. */
  readonly actor?: string | undefined;
  /** Whether a verified token says who that is; false for a name that a command gave itself. */
  readonly actorProven: boolean;
  readonly action: 'create' | 'replace' | 'delete' | '*';
  readonly mappingId?: string | undefined;
  /** The version that the change is based on. */
  readonly baseVersion?: number | undefined;
  /** Why, in the editor's words; absent if the attempt was refused before they were read. */
  readonly reason?: string | undefined;
  /** A mapping managed from Git was changed by hand. */
  readonly override?: true | undefined;
  readonly proposal?: AuditedProposal | undefined;
  /** What a record of the same request says, and did not come about: the end of a proposal. */
  readonly takesBack?: 'rejected' | 'withdrawn' | undefined;
  /** It needed a second administrator, and was made without one in an emergency. */
  readonly breakGlass?: true | undefined;
  /** Null: there is none, none that can be read, or the attempt was refused before it was read. */
  readonly before: RoleMapping | null;
  readonly after: RoleMapping | null;
}

export interface AuditedProposal {
  readonly id: string;
  /** Of what it would write; absent if the attempt was refused before it was read. */
  readonly sha256?: string | undefined;
  /** As the history of the table names them. */
  readonly author?: string | undefined;
}

/** The denies of the emergency file of this instance changed. They were in force before this was written. */
export interface EmergencyFileRecord {
  readonly type: 'emergency_file';
  /** RFC 3339 with milliseconds. */
  readonly time: string;
  /** `unusable`: the file is there and cannot be used, so everything is denied. */
  readonly outcome: 'in_force' | 'absent' | 'unusable';
  /** The first fifty. */
  readonly denies: readonly EmergencyDeny[];
  /** The first fifty: each a `jti` or an `origin_jti`. */
  readonly tokens: readonly string[];
  /** How many there are of both. */
  readonly count: number;
  /** Lower-case hex SHA-256 of the file, where it could be read. */
  readonly fileSha256?: string | undefined;
  readonly detail?: string | undefined;
}

/**
 * Somebody asked for the configuration file to be read again. `authorized` is durable before anything of it counts;
 * after `refused` and `failed` nothing has changed.
 */
export interface ConfigReloadRecord {
  readonly type: 'config_reload';
  /** RFC 3339 with milliseconds. */
  readonly time: string;
  /** What asked for it: a signal does not say whose it is. */
  readonly by: 'SIGHUP';
  readonly outcome: 'authorized' | 'refused' | 'failed';
  /** Why nothing has changed. */
  readonly reason?: string | undefined;
  /** Lower-case hex SHA-256 of the file, where it was read as a configuration. */
  readonly fileSha256?: string | undefined;
  /** The first fifty that changed, or that are in the way. */
  readonly settings: readonly AuditedSetting[];
  /** How many there are. */
  readonly count: number;
}

/** No values: of lists of names, such as app clients and administrators, the first twenty of those who came and went. */
export interface AuditedSetting {
  /** Dotted path. */
  readonly setting: string;
  readonly added?: readonly string[];
  readonly removed?: readonly string[];
}
