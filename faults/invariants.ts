/** What holds under every fault, judged by the answers, the audit files and what STS says it gave out. */

import { existsSync } from 'node:fs';
import { readAuditLines } from '../src/audit/read-lines.ts';
import { verifyAuditLog } from '../src/audit/verify.ts';
import type { LoadAnswer } from './load.ts';
import type { World } from './world.ts';

/** In words, for the document. */
export const invariants: Readonly<Record<string, string>> = {
  I1: 'Whoever was given credentials has an audit record with the same request id and access key id, on disk, in an unbroken chain.',
  I2: 'Credentials belong to the caller who was given them, by the account of STS itself.',
  I3: 'Nobody is given a role that the policy does not give them.',
  I4: 'The process ends only when it is told to, and then with 0.',
  I5: 'Ten seconds after the fault is over, at most, new sessions can be had again, without a restart.',
  I6: 'Memory and descriptors of the process return to what they were.',
};

const shownMost = 3;

/** I2, I3, and that every refusal for want of a dependency says so. */
export function answerViolations(answers: readonly LoadAnswer[], world: World): readonly string[] {
  const found = new Map<string, number>();
  for (const answer of answers) {
    const faults = answer.status === 200 ? grantFaults(answer, world) : refusalFaults(answer);
    for (const text of faults) found.set(text, (found.get(text) ?? 0) + 1);
  }
  return [...found].slice(0, shownMost).map(([text, times]) => `${text} (${times} times)`);
}

function* grantFaults({ caller, accessKeyId, role }: LoadAnswer, world: World): Generator<string> {
  const issued = world.issued.get(accessKeyId ?? '');
  if (issued?.subject !== caller.subject) yield `I2: ${caller.name} got credentials of another`;
  const theirs = caller.role !== undefined && issued?.role === caller.role;
  // The STS form does not say the role.
  const told = role === undefined || role === caller.role;
  if (!theirs || !told) yield `I3: ${caller.name} got a role that is not theirs`;
}

function* refusalFaults({ status, problem, code, requestId, retryAfter }: LoadAnswer) {
  if (status < 500) return;
  const told = problem && code !== undefined && requestId !== undefined;
  if (!told || (status === 503 && retryAfter === undefined)) {
    yield `a ${status} without problem document, code, request id or Retry-After`;
  }
}

/** I1. */
export async function auditViolations(
  answers: Iterable<Pick<LoadAnswer, 'status' | 'requestId' | 'accessKeyId'>>,
  directories: readonly string[],
): Promise<readonly string[]> {
  const found: string[] = [];
  const recorded = new Map<string, string>();
  for (const location of directories.filter((directory) => existsSync(directory))) {
    const { intact, problems } = await verifyAuditLog({ location });
    if (!intact) found.push(`I1: the audit chain is broken: ${JSON.stringify(problems[0])}`);
    await readIssued(location, recorded);
  }
  let missing = 0;
  for (const { status, requestId, accessKeyId } of answers) {
    if (status === 200 && recorded.get(requestId ?? '') !== accessKeyId) missing += 1;
  }
  if (missing > 0) found.push(`I1: ${missing} credentials without their record`);
  return found;
}

/** How many of each reason these logs have that somebody was given nothing. */
export async function refusalReasons(
  directories: readonly string[],
): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for (const location of directories) {
    for await (const { outcome, reason = 'none' } of recordsIn(location)) {
      if (outcome === 'failed' || outcome === 'denied') counts[reason] = (counts[reason] ?? 0) + 1;
    }
  }
  return counts;
}

interface DecisionRecord {
  readonly requestId?: string;
  readonly outcome?: string;
  readonly reason?: string;
  readonly credentials?: { readonly accessKeyId: string };
}

async function readIssued(location: string, into: Map<string, string>): Promise<void> {
  for await (const { requestId, outcome, credentials } of recordsIn(location)) {
    if (outcome !== 'issued' || requestId === undefined || credentials === undefined) continue;
    into.set(requestId, credentials.accessKeyId);
  }
}

async function* recordsIn(location: string): AsyncGenerator<DecisionRecord> {
  for await (const { lines } of readAuditLines(location)) {
    for (const { bytes, complete } of lines) {
      if (complete) yield JSON.parse(bytes.toString('utf8')) as DecisionRecord;
    }
  }
}
