import { type CheckId, checkIds, checks } from './checks.ts';
import { type ExaminationParts, examinationOf } from './examination.ts';
import type { Finding } from './finding.ts';

export interface CheckedFinding extends Finding {
  readonly check: CheckId;
}

/** What every check has found, in their order. `started` is told of each as its turn comes. */
export async function examine(
  parts: ExaminationParts,
  started: (check: CheckId) => void,
): Promise<readonly CheckedFinding[]> {
  const examination = examinationOf(parts);
  const findings: CheckedFinding[] = [];
  for (const check of checkIds) {
    started(check);
    const found = await checks[check].run(examination);
    findings.push(...found.map((finding) => ({ check, ...finding })));
  }
  return findings;
}
