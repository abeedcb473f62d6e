/** RoleSessionName: what the target account sees of the caller in ARNs and in CloudTrail. */

import { createHash } from 'node:crypto';
import { sessionNamePattern } from '../aws-names.ts';
import type { Caller } from '../caller.ts';

const maxLength = 64;
const digestLength = 16;
/** How every altered name ends. */
const digestAtEnd = /-[0-9a-f]{16}$/;
const variable = /\{([a-z]+)\}/g;
const requestedVariable = '{requested}';
const identityVariable = /\{(?:sub|client)\}/;

/**
 * `sub`, `client` and `mapping` are stable, so that the name does not change from one session to the next;
 * `requested` is what the caller asked for, and the id of the mapping where they asked for nothing.
 */
const sessionNameVariables = ['sub', 'client', 'mapping', 'requested'] as const;

export function isSessionName(text: string): boolean {
  return sessionNamePattern.test(text);
}

export function takesRequestedName(template: string): boolean {
  return template.includes(requestedVariable);
}

/** Says what is wrong with a template, or nothing if every caller gets a legal name from it. */
export function checkSessionNameTemplate(template: string): string | undefined {
  for (const match of template.matchAll(variable)) {
    if (!(sessionNameVariables as readonly string[]).includes(match[1] ?? '')) {
      return `knows only the variables ${sessionNameVariables.map((name) => `{${name}}`).join(', ')}`;
    }
  }
  const literal = template.replace(variable, '');
  if (!/^[A-Za-z0-9_+=,.@-]*$/.test(literal))
    return 'may only hold A-Z a-z 0-9 _ + = , . @ - and variables';
  if (literal.length > maxLength - digestLength - 1) return 'leaves no room for its variables';
  return checkRequested(template);
}

/** Whatever callers ask for, it must not pass for what says who they are (T24). */
function checkRequested(template: string): string | undefined {
  const [before = '', after, another] = template.split(requestedVariable);
  if (after === undefined) return undefined;
  if (another !== undefined) return 'may have {requested} only once';
  if (!identityVariable.test(template)) {
    return 'must have {sub} or {client} besides {requested}: else callers could take the name of others';
  }
  const apart =
    (!identityVariable.test(before) || before.endsWith('@')) &&
    (!identityVariable.test(after) || after.startsWith('@'));
  return apart
    ? undefined
    : 'must have @ between {requested} and the caller, as in "{requested}@{client}"';
}

/**
 * The name as rendered, if that is legal. Otherwise illegal characters become `-`, the text is cut, and a
 * digest over the whole identity is appended: two callers never share a name by replacement or truncation,
 * nor by what they ask for.
 */
export function renderSessionName(
  template: string,
  caller: Caller,
  mappingId: string,
  requested = mappingId,
): string {
  const values: Values = {
    sub: caller.subject,
    client: caller.clientId ?? caller.pool,
    mapping: mappingId,
    requested,
  };
  const text = fill(template, values);
  if (isSessionName(text) && !isOpenToOthers(template, caller, values, text)) return text;
  const digest = createHash('sha256')
    .update(JSON.stringify([text, caller.issuer, caller.subject, caller.clientId ?? null]))
    .digest('hex')
    .slice(0, digestLength);
  const room = maxLength - digestLength - 1;
  // What was asked for gives way first, so that the name goes on saying who the caller is.
  const kept = Math.max(0, requested.length - Math.max(0, text.length - room));
  const legible = fill(template, { ...values, requested: requested.slice(0, kept) })
    .replace(/[^A-Za-z0-9_+=,.@-]/g, '-')
    .slice(0, room);
  return `${legible}-${digest}`;
}

type Values = Readonly<Record<(typeof sessionNameVariables)[number], string>>;

function fill(template: string, values: Values): string {
  return template.replace(variable, (_whole, name: keyof Values) => values[name]);
}

/**
 * Whether another caller could be given the same text by asking for the right thing. The `@` next to
 * `{requested}` marks where the caller's identity begins or ends: it must be the only one on that side. An app
 * client is the identity of a machine, and not that of the users behind it. And what ends like an altered name
 * must be altered itself.
 */
function isOpenToOthers(
  template: string,
  { machine }: Caller,
  values: Values,
  text: string,
): boolean {
  const [before = '', after] = template.split(requestedVariable);
  if (after === undefined) return false;
  const unclear = (part: string) =>
    identityVariable.test(part) && fill(part, values).split('@').length > 2;
  const shared = !machine && !template.includes('{sub}');
  return shared || digestAtEnd.test(text) || unclear(before) || unclear(after);
}
