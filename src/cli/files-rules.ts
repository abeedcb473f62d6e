/** What commands that read role mappings as files are told of the broker that will have them: its configuration, or a few names. */

import { writingRules } from '../config/mapping-rules.ts';
import type { Config } from '../config/schema.ts';
import { defaultGuardrails } from '../core/policy/guardrails.ts';
import type { WritingRules } from '../core/policy/mapping-check.ts';
import type { Edge } from './edge.ts';
import { readConfig } from './read-config.ts';
import type { RulesOptions } from './rules-options.ts';

/** Undefined after the faults of the configuration were printed. */
export function rulesFor(
  { config: file, matchableClaim }: RulesOptions,
  edge: Edge,
): WritingRules | undefined {
  if (file === undefined) {
    const matchableClaims = new Set(matchableClaim);
    return { matchableClaims, guardrails: defaultGuardrails, pools: undefined };
  }
  const config = configFor(file, edge);
  return config && writingRules(config);
}

/** Undefined after its faults were printed. */
export function configFor(file: string, edge: Edge): Config | undefined {
  const source = edge.configSource(file);
  // What serves requests must not run as root; jobs that edit the table often do.
  const runtime = { ...source.runtime, userId: undefined };
  return readConfig({ ...source, runtime }, edge.output);
}
