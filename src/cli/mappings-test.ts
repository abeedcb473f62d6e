/** `mappings test`: runs the tests of a folder against its mappings, with the code that decides requests. */

import type { FailedCheck, NearMiss } from '../core/policy/explain.ts';
import type { WritingRules } from '../core/policy/mapping-check.ts';
import { jsonLine } from '../kit/json/ascii-json.ts';
import { dotted } from '../kit/json/json-pointer.ts';
import { systemClock } from '../kit/timing/clock.ts';
import { fileFault, type SourceFault } from '../kit/yaml/source-fault.ts';
import { snapshotOfFiles } from '../mapping-files/read-mappings.ts';
import { hasPassed, runTest, type TestResult } from '../mapping-files/run-test.ts';
import { type FileTestCase, readTests } from '../mapping-files/test-file.ts';
import { faultReport } from './mapping-report.ts';
import { readMappingFolder } from './mapping-sources.ts';
import { exitCodes, type Output } from './output.ts';
import { printableJson, printableLines } from './printable.ts';

export interface MappingsTestOptions {
  readonly directory: string;
  readonly rules: WritingRules;
  readonly json: boolean;
  readonly output: Output;
}

/** Exit code: 0 all passed; 1 one failed, there is none, or a file cannot be used. */
export function mappingsTest({ directory, rules, json, output }: MappingsTestOptions): number {
  const { folder, mappings, faults: mappingFaults } = readMappingFolder(directory, rules);
  const { tests, faults: testFaults } = readTests(folder.testFiles);
  const faults = [...mappingFaults, ...testFaults];
  if (faults.length === 0 && tests.length === 0) {
    faults.push(fileFault(directory, 'holds no test: no file ends in .test.yaml'));
  }
  if (faults.length > 0) return unusable(faults, { json, output });
  const snapshot = snapshotOfFiles(mappings);
  const now = systemClock.now();
  const runs = tests.map((one) => ({ ...one, result: runTest(one.test, snapshot, rules, now) }));
  const failed = runs.filter(({ result }) => !hasPassed(result));
  const counts = { passed: runs.length - failed.length, failed: failed.length };
  if (json) output.out(jsonLine({ ...counts, tests: runs.map(runDocument) }));
  else output.out(`${failed.map(failureReport).join('')}${totals(counts)}\n`);
  return failed.length === 0 ? exitCodes.ok : exitCodes.failed;
}

interface Run extends FileTestCase {
  readonly result: TestResult;
}

function unusable(
  faults: readonly SourceFault[],
  { json, output }: Pick<MappingsTestOptions, 'json' | 'output'>,
): number {
  if (json) output.out(jsonLine({ passed: 0, failed: 0, tests: [], faults }));
  else output.err(faultReport(faults));
  return exitCodes.failed;
}

function runDocument({ test, document, pointer, result }: Run) {
  const { faults, mismatches, nearMisses } = result;
  const passed = hasPassed(result);
  const why = { faults, mismatches, nearMisses: nearMisses.map(nearMiss) };
  const place = { file: document.file, ...document.positionOf(pointer) };
  return { name: test.name, ...place, passed, ...(passed ? {} : why) };
}

function nearMiss({ mapping, failed }: NearMiss) {
  return { id: mapping.mapping.id, failed };
}

const maxNearMisses = 3;

function failureReport({ test, document, pointer, result }: Run): string {
  const { line, col } = document.positionOf(pointer);
  const lines = [
    `FAILED ${document.file}:${line}:${col}: ${test.name}`,
    ...result.faults.map((fault) => `  ${dotted(fault.pointer)}: ${fault.detail}`),
    ...result.mismatches.map(
      (mismatch) =>
        `  ${dotted(mismatch.pointer)}: expected ${printableJson(mismatch.expected)}, got ${printableJson(mismatch.actual)}`,
    ),
    ...result.nearMisses
      .slice(0, maxNearMisses)
      .flatMap(({ mapping, failed }) =>
        failed.map((check) => checkLine(mapping.mapping.id, check)),
      ),
  ];
  return printableLines(lines);
}

function checkLine(id: string, { pointer, expected, actual }: FailedCheck): string {
  return `  ${id} does not apply: ${dotted(pointer)} wants ${printableJson(expected)}, is ${printableJson(actual)}`;
}

function totals({ passed, failed }: { readonly passed: number; readonly failed: number }): string {
  return failed === 0 ? `${passed} passed` : `${passed} passed, ${failed} FAILED`;
}
