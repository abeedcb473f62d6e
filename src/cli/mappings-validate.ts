/** `mappings validate`: says everything that is wrong with a folder of role mappings and of their tests. */

import type { WritingRules } from '../core/policy/mapping-check.ts';
import { systemClock } from '../kit/timing/clock.ts';
import { inReadingOrder } from '../kit/yaml/source-fault.ts';
import { warningsFor } from '../mapping-files/read-mappings.ts';
import { readTests } from '../mapping-files/test-file.ts';
import { faultReport } from './mapping-report.ts';
import { readMappingFolder } from './mapping-sources.ts';
import { exitCodes, type Output } from './output.ts';

export interface MappingsValidateOptions {
  readonly directory: string;
  readonly rules: WritingRules;
  readonly json: boolean;
  readonly output: Output;
}

/** Exit code: 0 valid, warnings or not; 1 otherwise. */
export function mappingsValidate({
  directory,
  rules,
  json,
  output,
}: MappingsValidateOptions): number {
  const { folder, mappings, faults: mappingFaults } = readMappingFolder(directory, rules);
  const { tests, faults: testFaults } = readTests(folder.testFiles);
  const faults = inReadingOrder([...mappingFaults, ...testFaults]);
  const warnings = inReadingOrder(warningsFor(mappings, rules.pools, systemClock.now()));
  const valid = faults.length === 0;
  const counts = { mappings: mappings.length, tests: tests.length };
  if (json) {
    output.out(`${JSON.stringify({ valid, ...counts, faults, warnings })}\n`);
  } else {
    output.err(faultReport(faults) + faultReport(warnings, 'warning'));
    output.out(
      valid
        ? `valid: ${counts.mappings} role mappings, ${counts.tests} tests, ${warnings.length} warnings\n`
        : `INVALID: ${faults.length} fault${faults.length === 1 ? '' : 's'}\n`,
    );
  }
  return valid ? exitCodes.ok : exitCodes.failed;
}
