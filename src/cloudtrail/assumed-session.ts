/** What a record of CloudTrail says of a session that STS has made. */

import { isJsonObject, type JsonObject } from '../kit/json/json-object.ts';

export interface AssumedSession {
  readonly event: 'AssumeRoleWithWebIdentity' | 'AssumeRole' | 'AssumeRoleWithSAML';
  readonly eventId: string | undefined;
  /** Epoch milliseconds. */
  readonly time: number;
  readonly account: string | undefined;
  readonly region: string | undefined;
  readonly requestId: string | undefined;
  readonly accessKeyId: string | undefined;
  readonly role: string;
  readonly sessionName: string | undefined;
  readonly durationSeconds: number | undefined;
  readonly sourceIdentity: string | undefined;
  readonly tags: JsonObject | undefined;
  readonly provider: string | undefined;
  readonly subject: string | undefined;
  readonly sourceIp: string | undefined;
  readonly userAgent: string | undefined;
  /** STS has held the role against the token's own list of roles. */
  readonly authorizedByIdp: boolean;
  readonly byThumbprint: boolean;
}

/** Undefined for every other event, and for what was refused. The session token that CloudTrail has is not taken over. */
export function assumedSession(record: JsonObject): AssumedSession | undefined {
  const event = eventOf(record);
  if (event === undefined) return undefined;
  const at = (...path: string[]) => textAt(record, path);
  const role = at('requestParameters', 'roleArn');
  const time = Date.parse(at('eventTime') ?? '');
  if (role === undefined || Number.isNaN(time)) return undefined;
  const additional = (name: string) => valueAt(record, ['additionalEventData', name]);
  const duration = valueAt(record, ['requestParameters', 'durationSeconds']);
  const tags = valueAt(record, ['requestParameters', 'principalTags']);
  return {
    event,
    // An addendum comes with an id of its own, and has that of the event that it adds to.
    eventId: at('addendum', 'originalEventID') ?? at('eventID'),
    time,
    account: at('recipientAccountId'),
    region: at('awsRegion'),
    requestId: at('requestID'),
    accessKeyId: at('responseElements', 'credentials', 'accessKeyId'),
    role,
    sessionName: at('requestParameters', 'roleSessionName'),
    durationSeconds: typeof duration === 'number' ? duration : undefined,
    sourceIdentity: at('requestParameters', 'sourceIdentity'),
    tags: isJsonObject(tags) ? tags : undefined,
    provider: at('userIdentity', 'identityProvider') ?? at('responseElements', 'provider'),
    subject:
      at('responseElements', 'subjectFromWebIdentityToken') ?? at('userIdentity', 'userName'),
    sourceIp: at('sourceIPAddress'),
    userAgent: at('userAgent'),
    // Absent unless it was matched; written as true, or as a text.
    authorizedByIdp: ![undefined, false, 'false'].includes(
      additional('RoleAuthorizedByIdp') as undefined,
    ),
    byThumbprint: additional('identityProviderConnectionVerificationMethod') === 'Thumbprint',
  };
}

/** Which session made a call; undefined for what was called with other keys. */
export function callingKey(record: JsonObject): string | undefined {
  return textAt(record, ['userIdentity', 'accessKeyId']);
}

/** Account and Region that an event was recorded in, and when. */
export function placeAndTime(record: JsonObject) {
  const time = Date.parse(textAt(record, ['eventTime']) ?? '');
  const account = textAt(record, ['recipientAccountId']) ?? 'unknown';
  const region = textAt(record, ['awsRegion']) ?? 'unknown';
  return Number.isNaN(time) ? undefined : { account, region, time };
}

const events: ReadonlySet<string | undefined> = new Set<AssumedSession['event']>([
  'AssumeRoleWithWebIdentity',
  'AssumeRole',
  'AssumeRoleWithSAML',
]);

function eventOf(record: JsonObject): AssumedSession['event'] | undefined {
  const name = textAt(record, ['eventName']);
  if (!events.has(name) || textAt(record, ['eventSource']) !== 'sts.amazonaws.com')
    return undefined;
  const refused = (record['errorCode'] ?? undefined) !== undefined;
  return refused ? undefined : (name as AssumedSession['event']);
}

function textAt(record: JsonObject, path: readonly string[]): string | undefined {
  const value = valueAt(record, path);
  return typeof value === 'string' ? value : undefined;
}

function valueAt(record: JsonObject, path: readonly string[]): unknown {
  let value: unknown = record;
  for (const name of path) value = isJsonObject(value) ? value[name] : undefined;
  return value;
}
