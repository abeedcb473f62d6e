/**
 * What a message says that was delivered. Four services write such messages: S3 (event notifications), SNS around them, CloudTrail
 * (its own SNS notifications), and EventBridge (`Object Created`). Whoever may send to the queue writes them as well, so a message is
 * believed nothing but names of objects: an event that stands in the message itself is none of the trail.
 */

import {
  isJsonObject,
  isStringList,
  type JsonObject,
  parseJsonObject,
  valueAt,
} from '../kit/json/json-object.ts';

export interface DeliveredObject {
  readonly bucket: string;
  readonly key: string;
}

/** S3 sends one object in a message, CloudTrail those of one delivery. */
const mostObjects = 100;
/** Messages of these services have some 2 KiB. */
const maxBodyChars = 256 * 1024;

/** None: the message says that the way works, or of something that is no new object. Undefined: it is none of these services'. */
export function deliveredObjects(body: string): readonly DeliveredObject[] | undefined {
  if (body.length > maxBodyChars) return undefined;
  const objects = objectsIn(unwrapped(body));
  if (objects === undefined || objects.length > mostObjects) return undefined;
  return objects.every(({ key }) => isServable(key)) ? objects : undefined;
}

/** In UTF-8: S3 has no longer ones. */
const maxKeyBytes = 1024;

/** Whether there can be such an object, and a URL that asks for it and for nothing else. */
function isServable(key: string): boolean {
  if (key === '' || Buffer.byteLength(key) > maxKeyBytes) return false;
  return !/\p{Cc}|\p{Cs}/u.test(key) && !/(?:^|\/)\.{1,2}(?:\/|$)/.test(key);
}

/** SNS puts what it was given into an envelope, unless the subscription has raw delivery. */
function unwrapped(body: string): string {
  const envelope = parseJsonObject(body);
  const message = envelope?.['Type'] === 'Notification' ? envelope['Message'] : undefined;
  return typeof message === 'string' ? message : body;
}

function objectsIn(text: string): readonly DeliveredObject[] | undefined {
  // What CloudTrail sends to a topic that it is told to use, before it has delivered anything.
  if (text === 'CloudTrail validation message.') return [];
  const message = parseJsonObject(text);
  if (message === undefined || message['Event'] === 's3:TestEvent') return message && [];
  if (Array.isArray(message['Records'])) return allOf(message['Records'].map(ofS3));
  if (message['detail-type'] === 'Object Created') return allOf([ofEventBridge(message)]);
  const { s3Bucket: bucket, s3ObjectKey: keys } = message;
  if (typeof bucket !== 'string' || !isStringList(keys)) return undefined;
  return keys.map((key) => ({ bucket, key }));
}

/** Empty for what was removed, say. */
type FromRecord = readonly DeliveredObject[] | undefined;

function allOf(records: readonly FromRecord[]): FromRecord {
  return records.includes(undefined) ? undefined : records.flatMap((objects) => objects ?? []);
}

function ofS3(record: unknown): FromRecord {
  if (!isJsonObject(record) || record['eventSource'] !== 'aws:s3') return undefined;
  const { eventName } = record;
  if (typeof eventName !== 'string') return undefined;
  if (!eventName.startsWith('ObjectCreated:')) return [];
  const named = objectOf(record['s3']);
  if (named === undefined) return undefined;
  try {
    // "URL encoded": as a form is, with a plus for a space.
    return [{ ...named, key: decodeURIComponent(named.key.replaceAll('+', ' ')) }];
  } catch {
    return undefined;
  }
}

function ofEventBridge({ detail }: JsonObject): FromRecord {
  const named = objectOf(detail);
  return named && [named];
}

function objectOf(value: unknown): DeliveredObject | undefined {
  const [bucket, key] = [valueAt(value, 'bucket', 'name'), valueAt(value, 'object', 'key')];
  return typeof bucket === 'string' && typeof key === 'string' ? { bucket, key } : undefined;
}
