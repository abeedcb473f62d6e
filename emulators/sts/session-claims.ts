import { isJsonObject } from '../../src/kit/json/json-object.ts';
import { StsError } from './sts-error.ts';

/** What a token asks STS to attach to the session: the only way to do so with AssumeRoleWithWebIdentity. */
export interface SessionClaims {
  /** `undefined` when the token has no tags claim at all. */
  readonly tags: ReadonlyMap<string, string> | undefined;
  readonly transitiveTagKeys: readonly string[];
  readonly sourceIdentity: string | undefined;
}

const tagsClaim = 'https://aws.amazon.com/tags';
const flatTagPrefix = `${tagsClaim}/principal_tags/`;
const flatTransitiveClaim = `${tagsClaim}/transitive_tag_keys`;
const sourceIdentityClaim = 'https://aws.amazon.com/source_identity';

const maxTags = 50;
const tagKey = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u;
const tagValue = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u;

/**
 * Reads the nested and the flattened form of the tags claim (IAM User Guide, id_session-tags) and the source
 * identity claim. Throws `InvalidIdentityToken` for what breaks a limit.
 */
export function parseSessionClaims(claims: Readonly<Record<string, unknown>>): SessionClaims {
  const nested = claims[tagsClaim];
  const flat = Object.entries(claims).filter(([name]) => name.startsWith(flatTagPrefix));
  const flatTransitive = claims[flatTransitiveClaim];
  const sourceIdentity = parseSourceIdentity(claims[sourceIdentityClaim]);
  if (nested === undefined && flat.length === 0 && flatTransitive === undefined) {
    return { tags: undefined, transitiveTagKeys: [], sourceIdentity };
  }
  const { principal_tags: principalTags, transitive_tag_keys: transitive } = asObject(nested ?? {});
  const entries: [string, unknown][] = [
    ...Object.entries(asObject(principalTags ?? {})).map(([key, value]): [string, unknown] => [
      key,
      onlyElement(value),
    ]),
    ...flat.map(([name, value]): [string, unknown] => [name.slice(flatTagPrefix.length), value]),
  ];
  const tags = parseTags(entries);
  const transitiveTagKeys = asTexts(transitive ?? flatTransitive ?? []);
  if (!transitiveTagKeys.every((key) => tags.has(key))) {
    throw refused('A transitive tag key must be the key of a session tag');
  }
  return { tags, transitiveTagKeys, sourceIdentity };
}

function parseTags(entries: readonly (readonly [string, unknown])[]): ReadonlyMap<string, string> {
  if (entries.length > maxTags) throw refused(`A session has at most ${maxTags} tags`);
  const tags = new Map<string, string>();
  const seen = new Set<string>();
  for (const [key, value] of entries) {
    const folded = key.toLowerCase();
    if (seen.has(folded)) throw refused('Duplicate tag keys: tag keys are case insensitive');
    if (!tagKey.test(key) || folded.startsWith('aws:')) throw refused('A tag key is not valid');
    if (typeof value !== 'string') {
      throw refused('principal_tags passed in claim is not in correct format');
    }
    if (!tagValue.test(value)) throw refused('A tag value is not valid');
    seen.add(folded);
    tags.set(key, value);
  }
  return tags;
}

function parseSourceIdentity(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^(?!aws:)[\w+=,.@-]{2,64}$/i.test(value)) return value;
  throw refused('The source identity is not valid');
}

/** The nested form writes each value as a list of one. */
function onlyElement(value: unknown): unknown {
  return Array.isArray(value) && value.length === 1 ? value[0] : undefined;
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  if (isJsonObject(value)) return value;
  throw refused('The tags claim is not valid');
}

function asTexts(value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((key) => typeof key === 'string')) return value;
  throw refused('The transitive tag keys are not valid');
}

/** The wording is ours but for the format, which was recorded: AWS documents the limits, not the messages. */
function refused(message: string): StsError {
  return new StsError('InvalidIdentityToken', message);
}
