/** What the agent makes of a request before it looks for credentials. */

import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { roleArnPattern } from '../core/aws-names.ts';
import { isMappingId } from '../core/policy/role-mapping.ts';
import type { AgentError } from './container-answer.ts';

export type Gate = (req: IncomingMessage) => AgentError | undefined;

/** Lets in requests for this very address that carry `authorization` to the letter. */
export function requestGate(port: number, authorization: string): Gate {
  // Whoever makes a name of theirs resolve to loopback still has to send that name here (DNS rebinding).
  const hosts = new Set(
    // Clients leave out the port that http has by itself.
    ['127.0.0.1', 'localhost'].flatMap((name) => [
      `${name}:${port}`,
      new URL(`http://${name}:${port}`).host,
    ]),
  );
  const expected = digest(authorization);
  return ({ method, headers }) => {
    if (!hosts.has(headers.host ?? '')) return refusals.host;
    if (headers.origin !== undefined) return refusals.origin;
    if (method !== 'GET') return refusals.method;
    const presented = digest(headers.authorization ?? '');
    return timingSafeEqual(presented, expected) ? undefined : refusals.authorization;
  };
}

type Target = { readonly role: string | undefined } | AgentError;

/** `/v1/credentials`, `/v1/credentials/{id}` and `/v1/credentials?role={id or ARN}`, as the broker has them. */
export function readTarget(target: string): Target {
  const [path = '', query, ...more] = target.split('?');
  const parts = /^\/v1\/credentials(?:\/([^/]+))?$/.exec(path);
  if (parts === null || more.length > 0) return refusals.path;
  const inPath = parts[1];
  if (query === undefined) {
    return inPath === undefined || isMappingId(inPath) ? { role: inPath } : refusals.role;
  }
  const parameters = [...new URLSearchParams(query)];
  const [name, role] = parameters[0] ?? [];
  if (inPath !== undefined || parameters.length !== 1 || name !== 'role') return refusals.query;
  return isRole(role) ? { role } : refusals.role;
}

export const refusals = {
  host: {
    status: 421,
    code: 'AccessDenied',
    message: 'This agent answers for 127.0.0.1 and its own port only.',
  },
  origin: { status: 403, code: 'AccessDenied', message: 'Browsers may not call this agent.' },
  method: { status: 405, code: 'ValidationError', message: 'This agent answers GET only.' },
  authorization: {
    status: 401,
    code: 'AccessDenied',
    message:
      'The Authorization header is not that of this agent: set AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE to its authorization file.',
  },
  path: {
    status: 404,
    code: 'ValidationError',
    message: 'Ask for /v1/credentials or /v1/credentials/{mapping id}.',
  },
  query: {
    status: 400,
    code: 'ValidationError',
    message: 'Name the role once: as the last segment of the path, or as ?role=.',
  },
  role: {
    status: 400,
    code: 'ValidationError',
    message: 'A role is the id of a mapping or, as ?role=, the ARN of a role.',
  },
  otherRole: { status: 403, code: 'AccessDenied', message: 'This agent serves another role only.' },
} as const satisfies Record<string, AgentError>;

/** Nothing else may get into logs. */
function isRole(text: string | undefined): text is string {
  return (
    text !== undefined && text.length <= 2048 && (isMappingId(text) || roleArnPattern.test(text))
  );
}

/** Of equal length whatever was sent. */
function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
