/** An explanation of the admin listener as people read it. */

import { z } from 'zod';
import { dotted } from '../../kit/json/json-pointer.ts';
import { printableJson, printableLines } from '../printable.ts';

const named = z.object({
  id: z.string(),
  version: z.number(),
  effect: z.string(),
  role: z.string(),
  owner: z.string(),
});

const failedCheck = z.object({
  pointer: z.string(),
  expected: z.unknown().optional(),
  actual: z.unknown().optional(),
});

const nearMiss = named.extend({
  failed: z.array(failedCheck),
  matchesNobody: z.array(z.object({ pointer: z.string(), detail: z.string() })).default([]),
});

/** What is read of an answer; a newer broker may say more. */
const explanation = z.object({
  policyRevision: z.number(),
  request: z.object({
    role: z.string().optional(),
    durationSeconds: z.number().optional(),
    sourceIp: z.string().optional(),
  }),
  refusal: z.object({ code: z.string(), detail: z.string() }).optional(),
  decision: z
    .object({
      outcome: z.string(),
      reason: z.string().optional(),
      mapping: named.optional(),
      choices: z.array(named).optional(),
      allowed: z.unknown().optional(),
      failed: z.array(failedCheck).optional(),
    })
    .optional(),
  sts: z.record(z.string(), z.unknown()).optional(),
  permitted: z.array(named).default([]),
  nearMisses: z.array(nearMiss).default([]),
  omittedNearMisses: z.number().default(0),
});

type Explanation = z.output<typeof explanation>;
type Named = z.output<typeof named>;

export interface ExplanationReport {
  readonly text: string;
  readonly allowed: boolean;
}

export function explanationReport(document: unknown): ExplanationReport {
  const parsed = explanation.safeParse(document);
  if (!parsed.success) {
    return {
      text: 'This version cannot read the explanation; -o json shows it as it is.\n',
      allowed: false,
    };
  }
  const { decision, refusal } = parsed.data;
  const lines = [
    ...verdictLines(parsed.data),
    ...stsLines(parsed.data),
    ...otherLines(parsed.data),
  ];
  return {
    text: printableLines(lines),
    allowed: decision?.outcome === 'allow' && refusal === undefined,
  };
}

function verdictLines({ decision, refusal, request, policyRevision }: Explanation): string[] {
  const { role = 'the only role there is', durationSeconds, sourceIp } = request;
  const duration = durationSeconds === undefined ? '' : `, for ${durationSeconds} s`;
  const from = sourceIp === undefined ? '' : `, from ${sourceIp}`;
  const asked = `  asked for ${role}${duration}${from}; policy revision ${policyRevision}`;
  const known = decision === undefined ? [] : decisionLines(decision);
  if (refusal === undefined) return [verdictOf(decision), asked, ...known];
  return [`REFUSED: ${refusal.code}`, `  ${refusal.detail}`, asked, ...known];
}

type DecisionDocument = NonNullable<Explanation['decision']>;

function verdictOf(decision: DecisionDocument | undefined): string {
  const { outcome = 'unknown', reason } = decision ?? {};
  return `${outcome.toUpperCase()}${reason === undefined ? '' : `: ${reason}`}`;
}

function decisionLines({ mapping, failed = [], allowed, choices = [] }: DecisionDocument) {
  return [
    ...(mapping === undefined ? [] : [`  mapping ${title(mapping)}`]),
    ...failed.map((check) => `    ${checkText(check)}`),
    ...(allowed === undefined ? [] : [`  possible: ${printableJson(allowed)}`]),
    ...choices.map((choice) => `  choose ${title(choice)}`),
  ];
}

function stsLines({ sts }: Explanation): string[] {
  if (sts === undefined) return [];
  const rows = Object.entries(sts).map(
    ([name, value]) => `  ${name}: ${typeof value === 'string' ? value : printableJson(value)}`,
  );
  return ['', 'STS would be sent, besides the token:', ...rows];
}

function otherLines({ permitted, nearMisses, omittedNearMisses }: Explanation): string[] {
  const lines: string[] = [];
  if (permitted.length > 0) {
    lines.push('', 'This caller could get now:', ...permitted.map((one) => `  ${title(one)}`));
  }
  if (nearMisses.length > 0) lines.push('', 'Came near:');
  for (const miss of nearMisses) {
    lines.push(`  ${title(miss)}`, ...miss.failed.map((check) => `    ${checkText(check)}`));
    for (const { pointer, detail } of miss.matchesNobody) {
      lines.push(`    matches nobody: ${dotted(pointer)} ${detail}`);
    }
  }
  if (omittedNearMisses > 0) lines.push(`  … and ${omittedNearMisses} more`);
  return lines;
}

function title({ id, version, effect, role, owner }: Named): string {
  return `${id} (version ${version}, ${effect} ${role}, owner ${owner})`;
}

function checkText({ pointer, expected, actual }: z.output<typeof failedCheck>): string {
  return `${dotted(pointer)}: wants ${printableJson(expected)}, is ${printableJson(actual)}`;
}
