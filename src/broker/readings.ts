/** What gauges show: read from the parts when somebody scrapes. */

import { labelOf } from '../identity/trusted-issuers.ts';
import type { Readings } from '../telemetry/metrics.ts';
import type { Adapters } from './adapters.ts';

export function readings(adapters: Adapters): Readings {
  const { policy, emergency, cache, keys, issuers, audit, auditSequence, checkpointer } = adapters;
  return {
    policy: () => ({ revision: policy.revision, ageSeconds: policy.ageSeconds() }),
    emergency: () =>
      emergency && { denies: emergency.file.count(), ageSeconds: emergency.file.ageSeconds() },
    cache: () => ({ entries: cache.size, bytes: cache.bytes }),
    auditDisk: () => audit.room(),
    auditSequence,
    checkpointCopyLagSeconds: () => adapters.checkpointCopies?.lagSeconds(),
    checkpoint: () =>
      checkpointer && { seq: checkpointer.coveredSeq, ageSeconds: checkpointer.ageSeconds() },
    *keyAges() {
      for (const [issuer, entries] of issuers) {
        const seconds = keys.ageSeconds(issuer);
        if (seconds !== undefined) yield [labelOf(entries), seconds];
      }
    },
  };
}
