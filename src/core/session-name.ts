/** RoleSessionName: what the target account sees of the caller in ARNs and in CloudTrail. */

import { createHash } from 'node:crypto';
import type { Caller } from './caller.ts';

/** AWS STS: 2 to 64 of `[\w+=,.@-]`, in ASCII. */
const sessionNamePattern = /^[A-Za-z0-9_+=,.@-]{2,64}$/;
const maxLength = 64;
const digestLength = 16;
const variable = /\{([a-z]+)\}/g;

/** `sub`, `client` and `mapping`: all stable, so that the name does not change from one session to the next. */
export const sessionNameVariables = ['sub', 'client', 'mapping'] as const;

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
  return undefined;
}

/**
 * The name as rendered, if that is legal. Otherwise illegal characters become `-`, the text is cut, and a
 * digest over the whole identity is appended: two callers never share a name by replacement or truncation.
 */
export function renderSessionName(template: string, caller: Caller, mappingId: string): string {
  const values: Record<string, string> = {
    sub: caller.subject,
    client: caller.clientId ?? caller.pool,
    mapping: mappingId,
  };
  const text = template.replace(variable, (_whole, name: string) => values[name] ?? '');
  if (sessionNamePattern.test(text)) return text;
  const digest = createHash('sha256')
    .update(JSON.stringify([text, caller.issuer, caller.subject, caller.clientId ?? null]))
    .digest('hex')
    .slice(0, digestLength);
  const legible = text.replace(/[^A-Za-z0-9_+=,.@-]/g, '-').slice(0, maxLength - digestLength - 1);
  return `${legible}-${digest}`;
}
