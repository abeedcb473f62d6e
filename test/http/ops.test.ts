import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { portion } from '../support/fuzz-budget.ts';
import { sendRaw } from '../support/raw-http.ts';

let broker: BrokerFixture;
beforeAll(async () => {
  broker = await startBrokerFixture();
});
afterAll(() => broker.stop());

const ops = (path: string, method = 'GET') => broker.call({ listener: 'ops', path, method });

/** By how much each series has grown, new ones from nothing; only those that did. */
async function growth(work: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await broker.metrics();
  await work();
  const after = await broker.metrics();
  const grown = [...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const);
  return Object.fromEntries(
    grown.filter(([name, by]) => by !== 0 && /^tokenbroker_.*_(?:total|count)\b/.test(name)),
  );
}

describe('probes', () => {
  it('say ok while the process answers', async () => {
    const { status, text, headers } = await ops('/livez');
    expect([status, text, headers['content-type']]).toEqual([
      200,
      'ok\n',
      'text/plain; charset=utf-8',
    ]);
  });

  it('say which checks readiness stands on', async () => {
    const { status, text } = await ops('/readyz');
    expect(status).toBe(200);
    expect(text).toBe('[+]policy ok\n[+]keys ok\n[+]audit ok\n[+]serving ok\n');
  });

  it.each([
    ['/livez', 'POST', '405 method_not_allowed'],
    ['/metrics', 'DELETE', '405 method_not_allowed'],
    ['/healthz', 'GET', '404 route_not_found'],
    ['/livez/', 'GET', '404 route_not_found'],
    ['/v1/caller', 'GET', '404 route_not_found'],
    ['/v1/role-mappings', 'GET', '404 route_not_found'],
  ])('%s of the ops listener answers %s with %s', async (path, method, expected) => {
    const { status, body } = await ops(path, method);
    expect(`${status} ${body.code}`).toBe(expected);
  });

  it.each(['api', 'admin'] as const)(
    'and metrics are not on the %s listener (T40)',
    async (listener) => {
      for (const path of ['/livez', '/readyz', '/metrics']) {
        expect((await broker.call({ listener, path })).status).toBe(404);
      }
    },
  );
});

describe('metrics', () => {
  it('are in the text format of Prometheus', async () => {
    const { status, headers, text } = await ops('/metrics');
    expect([status, headers['content-type']]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ]);
    // A value is what Go's ParseFloat takes, in which case does not count.
    const wellFormed =
      /^(?:# (?:HELP|TYPE) \w+ .+|\w+(?:\{\w+="(?:[^"\\\n]|\\.)*"(?:,\w+="(?:[^"\\\n]|\\.)*")*\})? (?:-?[\d.e+-]+|[Nn]a[Nn]|\+Inf))$/;
    expect(
      text
        .trim()
        .split('\n')
        .filter((line) => !wellFormed.test(line) && line !== ''),
    ).toEqual([]);
    expect(text.endsWith('\n')).toBe(true);
  });

  it('count what happened, by outcome and reason', async () => {
    const token = broker.token('orders');
    const grown = await growth(async () => {
      // A session that nobody else here asks for.
      for (const _ of [1, 2, 3]) await broker.issue('orders', { durationSeconds: 1234 });
      await broker.issue('stranger');
      await broker.issue('reports');
      await broker.call({ method: 'POST', path: '/v1/credentials' });
      await broker.call({ path: '/v1/caller', token });
      await broker.call({ path: '/nowhere' });
      await sendRaw(broker.urls.api, 'GARBAGE\r\n\r\n');
      broker.sts.setFault({ kind: 'error', status: 403, code: 'AccessDenied', message: 'no' });
      await broker.issue('reports', { role: 'reports-reader' });
      broker.sts.setFault({ kind: 'body', status: 200, contentType: 'text/html', body: '<html>' });
      await broker.issue('reports', { role: 'reports-reader' });
      broker.sts.setFault(undefined);
    });

    const route = 'route="/v1/credentials"';
    const http = 'tokenbroker_http_request_duration_seconds_count';
    const sts = 'tokenbroker_sts_request_duration_seconds_count';
    expect(grown).toMatchObject({
      [`tokenbroker_credential_requests_total{${route},outcome="issued"}`]: 3,
      [`tokenbroker_credential_requests_total{${route},outcome="denied"}`]: 4,
      [`tokenbroker_credential_requests_total{${route},outcome="failed"}`]: 1,
      'tokenbroker_refusals_total{code="access_denied",reason="no_mapping"}': 1,
      'tokenbroker_refusals_total{code="role_ambiguous",reason="none"}': 1,
      'tokenbroker_refusals_total{code="token_missing",reason="none"}': 1,
      'tokenbroker_refusals_total{code="sts_access_denied",reason="none"}': 1,
      'tokenbroker_refusals_total{code="sts_bad_response",reason="not_an_sts_document"}': 1,
      'tokenbroker_credential_cache_events_total{event="miss"}': 3,
      'tokenbroker_credential_cache_events_total{event="hit"}': 2,
      tokenbroker_warm_exchange_duration_seconds_count: 2,
      'tokenbroker_audit_records_total{sink="file",result="kept"}': 9,
      'tokenbroker_http_connection_errors_total{listener="api",code="request_malformed"}': 1,
      [`${http}{${route},status_class="2xx"}`]: 3,
      [`${http}{${route},status_class="4xx"}`]: 4,
      [`${http}{${route},status_class="5xx"}`]: 1,
      [`${http}{route="/v1/caller",status_class="2xx"}`]: 1,
      [`${http}{route="unmatched",status_class="4xx"}`]: 1,
      [`${sts}{region="us-east-1",result="issued"}`]: 1,
      [`${sts}{region="us-east-1",result="refused"}`]: 1,
      [`${sts}{region="us-east-1",result="bad_response"}`]: 1,
    });
  });

  it('know what is in force and what is kept', async () => {
    await broker.issue('orders');
    const series = await broker.metrics();
    expect(series.get('tokenbroker_policy_mappings')).toBe(4);
    expect(series.get('tokenbroker_policy_quarantined_mappings')).toBe(0);
    expect(series.get('tokenbroker_policy_revision')).toBe(4);
    expect(series.get('tokenbroker_policy_age_seconds')).toBeLessThan(5);
    expect(series.get('tokenbroker_credential_cache_entries')).toBeGreaterThanOrEqual(1);
    expect(series.get('tokenbroker_credential_cache_bytes')).toBeGreaterThan(1_000);
    expect(series.get('tokenbroker_jwks_age_seconds{pool="us-east-1_Test00001"}')).toBeLessThan(60);
    expect(series.get('tokenbroker_http_requests_in_flight')).toBe(1);
  });

  it('have few series, and no label from a request, whatever is asked (T40)', async () => {
    const few = portion(150);
    // A look at the page has series of its own, from the next look on.
    await broker.metrics();
    await askAnything('CANARY', few);
    const before = ofRequests(await broker.metrics());
    await askAnything('PARROT', few);
    const { text } = await ops('/metrics');
    expect(text.toLowerCase()).not.toMatch(/canary|parrot/);
    const after = await broker.metrics();
    expect(ofRequests(after)).toEqual(before);
    expect(after.size).toBeLessThan(2_000);
  });
});

/** Without those that a process has from its first garbage collection of a kind, say. */
function ofRequests(series: ReadonlyMap<string, number>): readonly string[] {
  return [...series.keys()].filter((name) => !/^(?:nodejs|process)_/.test(name));
}

/** The word in every place that a stranger can write to. */
async function askAnything(word: string, times: number): Promise<void> {
  const hostile = Array.from({ length: times }, (_, index) => {
    const head = `Host: ${word}${index}\r\nUser-Agent: ${word}${index}\r\n`;
    return [
      `GET /${word}${index} HTTP/1.1\r\n${head}\r\n`,
      `${['POST', 'PATCH', 'LINK', 'MKCOL'][index % 4]} /v1/${word}/${index} HTTP/1.1\r\n${head}\r\n`,
      `POST /v1/credentials HTTP/1.1\r\n${head}Authorization: Bearer ${word}${index}\r\n\r\n`,
    ].join('');
  });
  await Promise.all(hostile.map((bytes) => sendRaw(broker.urls.api, bytes, { answers: 3 })));
  for (const [listener, path] of [
    ['admin', `/v1/role-mappings/${word.toLowerCase()}`],
    ['ops', `/${word}`],
  ] as const) {
    await broker.call({ listener, path, token: broker.token('admin') });
  }
}
