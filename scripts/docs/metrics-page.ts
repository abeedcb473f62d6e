import { auditFailureReasons } from '../../src/audit/audit-sink.ts';
import { checkpointFailures } from '../../src/audit/checkpoints/checkpointer.ts';
import { copyFailures } from '../../src/audit/checkpoints/locked-bucket-error.ts';
import { auditAlarms } from '../../src/audit/log-event.ts';
import { reloadOutcomes } from '../../src/broker/reloader.ts';
import { proposalEvents } from '../../src/core/editing/proposal.ts';
import { policyAlarms, pollResults } from '../../src/dynamodb/policy-sync-observer.ts';
import { cacheEvents } from '../../src/sts/credential-cache.ts';
import { stsOutcomes } from '../../src/sts/web-identity-adapter.ts';
import { tracedResults } from '../../src/telemetry/request-traces.ts';
import { spanResults } from '../../src/telemetry/trace-export.ts';
import { signingResults } from '../../src/web-identity/token-issuer.ts';
import { withMeanings } from './table.ts';

/** docs/metrics.md: the values of labels that have a meaning each. What is exposed is held against a running broker. */
export function metricsPage(page: string): string {
  const tables: Readonly<Record<string, readonly (readonly string[])[]>> = {
    '| event | meaning |': [cacheEvents, proposalEvents],
    '| outcome | meaning |': [reloadOutcomes],
    '| kind | meaning |': [policyAlarms, auditAlarms],
    '| result | meaning |': [
      stsOutcomes,
      signingResults,
      pollResults,
      ['kept', ...auditFailureReasons],
      ['signed', ...checkpointFailures],
      ['stored', ...copyFailures],
      tracedResults,
      spanResults,
    ],
  };
  return Object.entries(tables).reduce(
    (written, [header, sets]) => withMeanings(written, header, ...sets),
    page,
  );
}
