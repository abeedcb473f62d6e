/** What a record of CloudTrail says of a session that STS has made. */

import { regionPattern, roleArnPattern } from '../core/aws-names.ts';
import { isJsonObject, type JsonObject, memberOf, valueAt } from '../kit/json/json-object.ts';

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
  readonly tags: Readonly<Record<string, string | null>> | undefined;
  readonly provider: string | undefined;
  readonly subject: string | undefined;
  readonly sourceIp: string | undefined;
  readonly userAgent: string | undefined;
  /** STS has held the role against the token's own list of roles. */
  readonly authorizedByIdp: boolean;
  readonly byThumbprint: boolean;
}

/** Nothing that counts here is longer; CloudTrail cuts a user agent at 1 KB. */
const mostChars = 2048;
/** STS takes fifty. */
const mostTags = 100;

/** Undefined for every other event, and for what was refused. The session token that CloudTrail has is not taken over. */
export function assumedSession(record: JsonObject): AssumedSession | undefined {
  const event = eventOf(record);
  if (event === undefined) return undefined;
  const at = (...path: string[]) => textAt(record, ...path);
  const role = roleOf(record);
  const time = Date.parse(at('eventTime') ?? '');
  if (role === undefined || Number.isNaN(time)) return undefined;
  const additional = (name: string) => valueAt(record, 'additionalEventData', name);
  const duration = valueAt(record, 'requestParameters', 'durationSeconds');
  const tags = valueAt(record, 'requestParameters', 'principalTags');
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
    tags: tagsIn(tags),
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

/** Null stands for what is no text: no session is on record with that. */
function tagsIn(value: unknown): AssumedSession['tags'] {
  if (!isJsonObject(value)) return undefined;
  const entries = Object.entries(value).slice(0, mostTags);
  return Object.fromEntries(
    entries.map(([key, tag]) => [cut(key), typeof tag === 'string' ? cut(tag) : null]),
  );
}

/** Characters of its texts: about what it takes while it is kept. */
export function charsOf({ tags = {}, ...session }: AssumedSession): number {
  const texts = [...Object.values(session), ...Object.entries(tags).flat()];
  return texts.reduce<number>((sum, text) => sum + (typeof text === 'string' ? text.length : 8), 0);
}

/** A copy: a part of a text would keep all of it in memory. */
function cut(text: string): string {
  if (text.length <= mostChars) return text;
  return Buffer.from(text.slice(0, mostChars), 'utf16le').toString('utf16le');
}

/** What was not known, or late, when the event itself was delivered. */
export function isAddendum(record: JsonObject): boolean {
  return isJsonObject(record['addendum']);
}

/** A session was made, and nobody can say by this record of which role, or when. */
export function isUnclearSession(record: JsonObject): boolean {
  return (
    eventOf(record) !== undefined && assumedSession(record) === undefined && !isAddendum(record)
  );
}

/** CloudTrail leaves parameters out where an event grows too long for it. */
function roleOf(record: JsonObject): string | undefined {
  const { resources } = record;
  const roles = Array.isArray(resources) ? resources.filter(isRole) : [];
  return textAt(record, 'requestParameters', 'roleArn') ?? roles[0]?.ARN;
}

function isRole(resource: unknown): resource is { readonly ARN: string } {
  const arn = memberOf(resource, 'ARN');
  return typeof arn === 'string' && roleArnPattern.test(arn);
}

/** Which session made a call; undefined for what was called with other keys. */
export function callingKey(record: JsonObject): string | undefined {
  return textAt(record, 'userIdentity', 'accessKeyId');
}

/** Account and Region that an event was recorded in, and when. */
export function placeAndTime(record: JsonObject) {
  const time = Date.parse(textAt(record, 'eventTime') ?? '');
  const account = named(/^\d{12}$/, textAt(record, 'recipientAccountId'));
  const region = named(regionPattern, textAt(record, 'awsRegion'));
  return Number.isNaN(time) ? undefined : { account, region, time };
}

/** They become names of series: of what is made up there is one. */
function named(form: RegExp, text = ''): string {
  return form.test(text) ? text : 'unknown';
}

const events: ReadonlySet<string | undefined> = new Set<AssumedSession['event']>([
  'AssumeRoleWithWebIdentity',
  'AssumeRole',
  'AssumeRoleWithSAML',
]);

/** Of any partition: `amazonaws.com`, `amazonaws.com.cn`, `amazonaws.eu`. */
const sources = /^sts\.amazonaws\.[a-z.]+$/;

function eventOf(record: JsonObject): AssumedSession['event'] | undefined {
  const name = textAt(record, 'eventName');
  if (!events.has(name) || !sources.test(textAt(record, 'eventSource') ?? '')) return undefined;
  const isRefused = ![undefined, null, ''].includes(record['errorCode'] as undefined);
  return isRefused ? undefined : (name as AssumedSession['event']);
}

function textAt(record: JsonObject, ...path: readonly string[]): string | undefined {
  const value = valueAt(record, ...path);
  return typeof value === 'string' ? cut(value) : undefined;
}
