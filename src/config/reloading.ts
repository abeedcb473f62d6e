/**
 * Which settings a running broker takes over on a reload, and which need a restart. Every setting is in this table: a
 * new one in a section of which something can be reloaded does not compile until somebody has decided.
 */

import { isDeepStrictEqual } from 'node:util';
import type { providerKinds } from '../identity/providers/provider-kinds.ts';
import { isJsonObject, memberOf, valueAt } from '../kit/json/json-object.ts';
import type { Config } from './schema.ts';

export type Reloading = 'reload' | 'restart';

/** A section as a whole may need a restart, and coming and going always does; `each` is of the items of a list. */
type ReloadTable<Setting> = Setting extends readonly (infer Item)[]
  ? Item extends object
    ? 'restart' | { readonly each: ReloadTable<Item> }
    : Reloading
  : Setting extends object
    ? 'restart' | { readonly [Name in keyof Setting]-?: ReloadTable<NonNullable<Setting[Name]>> }
    : Reloading;

type Kind = keyof typeof providerKinds;
type IdentityTable = Exclude<ReloadTable<Config['identity']>, 'restart'>;

/** A kind of identity providers that says nothing here needs a restart: a kind is added by a file and its line. */
type Settings = Omit<Exclude<ReloadTable<Config>, 'restart'>, 'identity'> & {
  readonly identity: 'restart' | (Omit<IdentityTable, Kind> & Partial<Pick<IdentityTable, Kind>>);
};

const rate = { perSecond: 'reload', burst: 'reload' } as const;

const listener = {
  host: 'restart',
  port: 'restart',
  tls: { certFile: 'reload', keyFile: 'reload' },
  tlsTerminatedUpstream: 'restart',
  maxConnections: 'restart',
} as const;

const reloadTable: Settings = {
  profile: 'restart',
  accessHelp: 'restart',
  listeners: { api: listener, admin: listener, ops: listener, identity: listener },
  http: {
    allowedHosts: 'restart',
    trustedProxies: 'reload',
    maxBodyBytes: 'restart',
    drainSeconds: 'restart',
    shutdownSeconds: 'restart',
  },
  limits: {
    perCaller: rate,
    failedTokensPerAddress: rate,
    addressBitsIpv4: 'reload',
    addressBitsIpv6: 'reload',
    maxInFlight: 'reload',
    maxEventLoopDelayMs: 'reload',
  },
  identity: {
    userPools: {
      each: {
        name: 'restart',
        pool: 'restart',
        issuer: 'restart',
        jwksUri: 'restart',
        clients: 'reload',
        tokenUse: 'restart',
      },
    },
    identityPools: 'restart',
    matchableClaims: 'restart',
    maxTokenBytes: 'restart',
    maxTokenAgeSeconds: 'restart',
    clockToleranceSeconds: 'restart',
    maxVerifiedTokens: 'restart',
  },
  guardrails: {
    allowedPartitions: 'restart',
    allowedAccounts: 'restart',
    rolePathPrefixes: 'restart',
    forbiddenRoleNames: 'restart',
    maxSessionSeconds: 'restart',
    reservedTags: 'restart',
    approval: {
      when: 'restart',
      roles: 'restart',
      approvers: 'reload',
      breakGlass: 'reload',
      personClaim: 'restart',
    },
  },
  keys: 'restart',
  policy: 'restart',
  sts: 'restart',
  webIdentity: 'restart',
  cache: 'restart',
  audit: 'restart',
  admin: {
    pool: 'restart',
    clients: 'reload',
    groups: 'reload',
    users: 'reload',
    machines: 'reload',
    maxTokenAgeSeconds: 'reload',
    maxSignInAgeSeconds: 'reload',
    requiredAmr: 'reload',
    readScope: 'restart',
    writeScope: 'restart',
    freezeScope: 'restart',
    console: 'restart',
  },
  traces: 'restart',
  log: { level: 'reload' },
};

/** A setting as the documentation lists it: `identity.userPools[].clients`. */
export function reloadingOf(setting: string): Reloading {
  // What only contains others cannot come or go.
  const at = valueAt(reloadTable, ...setting.replaceAll('[]', '.each').split('.'));
  return at === 'reload' ? 'reload' : 'restart';
}

export interface SettingChange {
  /** Dotted path, with the numbers of list items. */
  readonly setting: string;
  readonly reloading: Reloading;
  readonly before: unknown;
  readonly after: unknown;
}

/** What differs between two configurations, in the order of the table. */
export function changesBetween(before: Config, after: Config): readonly SettingChange[] {
  return [...differences({ table: reloadTable, setting: '', before, after })];
}

interface Compared {
  readonly table: unknown;
  readonly setting: string;
  readonly before: unknown;
  readonly after: unknown;
}

function* differences({ table, setting, before, after }: Compared): Generator<SettingChange> {
  if (isDeepStrictEqual(before, after)) return;
  const members = table === 'reload' ? undefined : membersOf(before, after);
  if (members === undefined) {
    yield { setting, reloading: table === 'reload' ? 'reload' : 'restart', before, after };
    return;
  }
  for (const [name, one, other] of members) {
    yield* differences({
      table: memberOf(table, Array.isArray(before) ? 'each' : name),
      setting: setting === '' ? name : `${setting}.${name}`,
      before: one,
      after: other,
    });
  }
}

/** Undefined unless both are sections, or lists of as many sections. */
function membersOf(before: unknown, after: unknown) {
  if (Array.isArray(before) && Array.isArray(after)) {
    const items: readonly unknown[] = before;
    const others: readonly unknown[] = after;
    if (items.length !== others.length || !items.every(isJsonObject)) return undefined;
    return items.map((item, index) => [String(index), item, others[index]] as const);
  }
  if (!isJsonObject(before) || !isJsonObject(after)) return undefined;
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].map((name) => [name, before[name], after[name]] as const);
}
