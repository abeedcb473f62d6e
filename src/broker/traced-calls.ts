/** What the parts report of their calls, as steps of the request that waited: names by OpenTelemetry's semantic conventions 1.45. */

import { BrokerError } from '../core/errors.ts';
import type { AuditLog } from '../core/ports.ts';
import type { TableCall } from '../dynamodb/table-calls.ts';
import type { JwksFetchEvent } from '../identity/keys/jwks-observer.ts';
import type { Clock } from '../kit/timing/clock.ts';
import type { KmsCall } from '../signing/kms-key.ts';
import type { StsCall } from '../sts/web-identity-adapter.ts';
import type { Attributes, RequestTraces } from '../telemetry/request-traces.ts';

export interface TracedCalls {
  sts(call: StsCall): void;
  kms(call: KmsCall): void;
  table(call: TableCall): void;
  keys(fetch: JwksFetchEvent): void;
}

/** `region`: of the table. */
export function tracedCalls(traces: RequestTraces, region: string): TracedCalls {
  return {
    sts({ outcome, durationMs, requestId, region }) {
      awsCall(traces, {
        service: 'STS',
        operation: 'AssumeRoleWithWebIdentity',
        region,
        durationMs,
        failure: outcome === 'issued' ? undefined : outcome,
        attributes: requestId === undefined ? {} : { 'aws.request_id': requestId },
      });
    },
    kms: ({ error, ...call }) =>
      awsCall(traces, { service: 'KMS', ...call, failure: typeOf(error), attributes: {} }),
    table: ({ table, error, ...call }) =>
      awsCall(traces, {
        service: 'DynamoDB',
        region,
        ...call,
        failure: typeOf(error),
        attributes: {
          'db.system.name': 'aws.dynamodb',
          'db.operation.name': call.operation,
          'db.collection.name': table,
          'aws.dynamodb.table_names': [table],
        },
      }),
    keys({ jwksUri, result, error, durationMs }) {
      const { hostname, port, protocol } = new URL(jwksUri);
      const failed = result !== 'ok';
      traces.add({
        name: 'GET',
        kind: 'client',
        durationMs,
        attributes: {
          'http.request.method': 'GET',
          'url.full': jwksUri,
          'server.address': hostname,
          'server.port': Number(port || (protocol === 'https:' ? 443 : 80)),
          ...(failed ? { 'error.type': typeOf(error) ?? '_OTHER' } : {}),
        },
        failed,
      });
    },
  };
}

interface AwsCall {
  readonly service: string;
  readonly operation: string;
  readonly region: string;
  readonly durationMs: number;
  /** What went wrong, in a word; undefined: nothing. */
  readonly failure: string | undefined;
  readonly attributes: Attributes;
}

function awsCall(
  traces: RequestTraces,
  { service, operation, region, durationMs, failure, attributes }: AwsCall,
): void {
  traces.add({
    name: `${service}.${operation}`,
    kind: 'client',
    durationMs,
    attributes: {
      'rpc.system.name': 'aws-api',
      'rpc.method': `${service}/${operation}`,
      'cloud.region': region,
      ...attributes,
      ...(failure === undefined ? {} : { 'error.type': failure }),
    },
    failed: failure !== undefined,
  });
}

/** The name of an error, of which an answer can bring any. */
function typeOf(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  const { name } = error as { readonly name?: unknown };
  return typeof name === 'string' && /^[A-Za-z]\w{0,63}$/.test(name) ? name : '_OTHER';
}

/** The wait of a request for its record to be durable: a commit is shared by many, and belongs to none of them. */
export function tracedAudit(
  log: AuditLog,
  traces: RequestTraces | undefined,
  clock: Clock,
): AuditLog {
  if (traces === undefined) return log;
  const timed = async (recorded: Promise<void>) => {
    const startedAt = clock.monotonic();
    const add = (failure: unknown) =>
      traces.add({
        name: 'audit commit',
        kind: 'internal',
        durationMs: clock.monotonic() - startedAt,
        attributes:
          failure instanceof BrokerError ? { 'error.type': failure.code } : ({} as Attributes),
        failed: failure !== undefined,
      });
    try {
      await recorded;
    } catch (error) {
      add(error);
      throw error;
    }
    add(undefined);
  };
  return {
    record: (record) => (traces.following ? timed(log.record(record)) : log.record(record)),
  };
}
