/** `mappings validate`: says everything that is wrong with a folder of role mappings and of their tests. */

import type { WritingRules } from '../core/policy/mapping-check.ts';
import { jsonLine } from '../kit/json/ascii-json.ts';
import { systemClock } from '../kit/timing/clock.ts';
import { inReadingOrder } from '../kit/yaml/source-fault.ts';
import { actionWarnings } from '../mapping-files/policy-lint.ts';
import { warningsFor } from '../mapping-files/read-mappings.ts';
import { readTests } from '../mapping-files/test-file.ts';
import { faultReport, warningReport } from './mapping-report.ts';
import { readMappingFolder } from './mapping-sources.ts';
import { exitCodes, type Output } from './output.ts';

export interface MappingsValidateOptions {
  readonly directory: string;
  readonly rules: WritingRules;
  readonly json: boolean;
  readonly output: Output;
}

/** Exit code: 0 valid, warnings or not; 1 otherwise. */
export async function mappingsValidate({
  directory,
  rules,
  json,
  output,
}: MappingsValidateOptions): Promise<number> {
  const { folder, mappings, faults: mappingFaults } = readMappingFolder(directory, rules);
  const { tests, faults: testFaults } = readTests(folder.testFiles);
  const faults = inReadingOrder([...mappingFaults, ...testFaults]);
  // What it knows of AWS is large, and of use to nobody else.
  const { iamTable } = await import('../mapping-files/iam-actions/iam-table.ts');
  const warnings = inReadingOrder([
    ...warningsFor(mappings, rules.pools, systemClock.now()),
    ...actionWarnings(mappings, iamTable()),
  ]);
  const valid = faults.length === 0;
  const counts = { mappings: mappings.length, tests: tests.length };
  if (json) {
    output.out(jsonLine({ valid, ...counts, faults, warnings }));
  } else {
    output.err(faultReport(faults) + warningReport(warnings));
    output.out(
      valid
        ? `valid: ${counts.mappings} role mappings, ${counts.tests} tests, ${warnings.length} warnings\n`
        : `INVALID: ${faults.length} fault${faults.length === 1 ? '' : 's'}\n`,
    );
  }
  return valid ? exitCodes.ok : exitCodes.failed;
}
