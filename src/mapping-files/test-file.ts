/** `*.test.yaml`: described callers, what they ask for, and what must be decided. */

import { z } from 'zod';
import { callerDescription } from '../core/described-caller.ts';
import { denyReasons } from '../core/policy/deny-reasons.ts';
import { roleMappingSchema } from '../core/policy/role-mapping.ts';
import { escapePointer, type JsonPointer, jsonPointer } from '../kit/json/json-pointer.ts';
import type { SourceFault } from '../kit/yaml/source-fault.ts';
import { parseYaml, type SourceDocument, type SourceFile } from '../kit/yaml/yaml-documents.ts';
import { faultIn } from './read-mappings.ts';

const id = roleMappingSchema.shape.id;
const instant = roleMappingSchema.shape.conditions.unwrap().shape.notBefore;

const request = z.strictObject({
  role: z
    .string()
    .regex(/^[\x21-\x7e]{1,2048}$/, 'must be the id of a role mapping or the ARN of a role')
    .optional(),
  durationSeconds: z.int().optional(),
  sourceIp: z.union([z.ipv4(), z.ipv6()], { error: 'must be an IP address' }).default('192.0.2.1'),
});

const expectation = z.discriminatedUnion('decision', [
  z.strictObject({
    decision: z.literal('allow'),
    mapping: id.optional(),
    role: z.string().optional(),
    durationSeconds: z.int().optional(),
    sessionName: z.string().optional(),
    /** With the caller's claims in place. */
    policy: z.record(z.string(), z.unknown()).optional(),
  }),
  z.strictObject({
    decision: z.literal('deny'),
    reason: z.enum(denyReasons).optional(),
    mapping: id.optional(),
  }),
  z.strictObject({ decision: z.literal('ambiguous'), choices: z.array(id).optional() }),
  z.strictObject({ decision: z.literal('duration_not_allowed'), mapping: id.optional() }),
]);

const testCase = z.strictObject({
  name: z.string().min(1).max(200),
  /** Default: that of the file; without one, the time at which the test runs. */
  now: instant,
  caller: callerDescription,
  request: request.prefault({}),
  expect: expectation,
});

export const testFileSchema = z.strictObject({
  now: instant,
  tests: z.array(testCase).min(1).max(1000),
});

export type TestCase = z.output<typeof testCase>;

export interface FileTestCase {
  readonly test: TestCase;
  readonly document: SourceDocument;
  /** Of the case in the document. */
  readonly pointer: JsonPointer;
}

export interface ReadTests {
  readonly tests: readonly FileTestCase[];
  readonly faults: readonly SourceFault[];
}

export function readTests(files: readonly SourceFile[]): ReadTests {
  const tests: FileTestCase[] = [];
  const faults: SourceFault[] = [];
  for (const file of files) {
    const parsed = parseYaml(file);
    faults.push(...parsed.faults);
    for (const document of parsed.documents) {
      const checked = testFileSchema.safeParse(document.value);
      if (!checked.success) {
        faults.push(...checked.error.issues.flatMap((issue) => faultsOf(issue, document)));
        continue;
      }
      const { now, tests: cases } = checked.data;
      tests.push(
        ...cases.map((one, index) => ({
          test: { now, ...one },
          document,
          pointer: `/tests/${index}` as const,
        })),
      );
    }
  }
  return { tests, faults };
}

function faultsOf(issue: z.core.$ZodIssue, document: SourceDocument): SourceFault[] {
  const pointer = jsonPointer(issue.path);
  if (issue.code !== 'unrecognized_keys') {
    return [faultIn(document, { pointer, detail: issue.message })];
  }
  return issue.keys.map((key) =>
    faultIn(document, { pointer: `${pointer}/${escapePointer(key)}`, detail: 'is not a member' }),
  );
}
