/** `demo`: the main job from end to end on a local stack of its own. Ends with 1 as soon as a step goes wrong. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { hermeticSettings } from '../src/aws/hermetic-settings.ts';
import { auditVerify } from '../src/cli/audit-verify.ts';
import { cloudTrailCheck } from '../src/cli/cloudtrail-check.ts';
import { exitCodes, type Output } from '../src/cli/output.ts';
import { type BoundedRequest, boundedFetch } from '../src/kit/net/bounded-fetch.ts';
import { systemClock } from '../src/kit/timing/clock.ts';
import { withDeadline } from '../src/kit/timing/with-deadline.ts';
import {
  type LocalClient,
  type LocalEnvironment,
  startLocalEnvironment,
} from './local-environment.ts';
import { localIdentity } from './seed.ts';

export interface DemoOptions {
  readonly main: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly output: Output;
}

const limits = { clock: systemClock, timeoutMs: 10_000, maxBytes: 1024 * 1024 };

export async function demo({ main, env, output }: DemoOptions): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'token-broker-demo-'));
  output.out('token-broker demo: emulators on loopback, the real broker in front of them.\n');
  let environment: LocalEnvironment | undefined;
  try {
    environment = await startLocalEnvironment({ directory, fresh: true, port: 0, main, env });
    await tellStory(new Story(environment, output));
    output.out('\nEverything did what it should.\n');
    return exitCodes.ok;
  } catch (error) {
    output.err(`\nThe demo failed: ${error instanceof Error ? error.message : 'unknown'}\n`);
    return exitCodes.failed;
  } finally {
    await environment?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function tellStory(story: Story): Promise<void> {
  const token = await story.getToken('orders');
  const credentials = await story.exchange(token);
  await story.useCredentials(credentials);
  await story.exchangeAgain(token);
  await story.refusal({
    title: 'A caller without a role mapping is refused',
    client: 'stranger',
    status: 403,
    code: 'access_denied',
  });
  await story.refusal({
    title: 'A token without "aud" is refused, with the advice what to configure',
    client: 'legacy',
    status: 422,
    code: 'token_audience_missing',
  });
  await story.brokersIdentity();
  await story.auditTrail();
  await story.bypass(token);
  await story.metrics();
}

async function ask(url: string, init: Partial<BoundedRequest> = {}) {
  const response = await boundedFetch(url, { ...init, ...limits });
  return {
    response,
    status: response.status,
    text: Buffer.from(response.body ?? []).toString(),
  };
}

function stsRequest(role: string, token: string) {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: role,
      RoleSessionName: 'bypass',
      WebIdentityToken: token,
    }).toString(),
  };
}

/** A line of `cloudtrail check`. */
interface FoundBypass {
  readonly type: 'finding';
  readonly class: string;
  readonly time: string;
  readonly role: string;
  readonly accessKeyId: string;
  readonly event: { readonly subject: string; readonly sourceIp: string };
}

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: string;
}

interface Refusal {
  readonly title: string;
  readonly client: string;
  readonly status: number;
  readonly code: string;
}

class Story {
  readonly #environment: LocalEnvironment;
  readonly #output: Output;
  readonly #requestIds: string[] = [];
  #step = 0;

  constructor(environment: LocalEnvironment, output: Output) {
    this.#environment = environment;
    this.#output = output;
  }

  async getToken(name: string): Promise<string> {
    const client = this.#client(name);
    this.#title(`A token for "${name}" from the issuer, by client credentials`);
    this.#say(`POST ${this.#environment.ready.tokenEndpoint}`);
    const token = await this.#fetchToken(client);
    const claims = JSON.parse(
      Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'),
    ) as Record<string, unknown>;
    for (const name of ['iss', 'client_id', 'aud', 'scope', 'token_use']) {
      this.#say(`  ${name.padEnd(9)} ${String(claims[name])}`);
    }
    return token;
  }

  async exchange(token: string): Promise<Credentials> {
    this.#title('The exchange: token in, credentials out');
    const { status, body } = await this.#post(token);
    expect(status === 200, `the broker answered ${status}`);
    const credentials = body['credentials'] as Credentials;
    this.#say(`  role         ${String(body['role'])}`);
    this.#say(`  accessKeyId  ${credentials.accessKeyId}`);
    this.#say(`  expiration   ${credentials.expiration}`);
    this.#say('  secretAccessKey and sessionToken are there too, and stay out of this transcript');
    return credentials;
  }

  async useCredentials({ expiration, ...keys }: Credentials): Promise<void> {
    this.#title('The credentials, used: the AWS SDK calls GetCallerIdentity, signed with SigV4');
    const { sts } = this.#environment.ready;
    const credentials = { ...keys, expiration: new Date(expiration) };
    const client = new STSClient({
      ...hermeticSettings({ region: 'us-east-1', endpoint: sts }),
      credentials,
    });
    try {
      const identity = await withDeadline(limits, (abortSignal) =>
        client.send(new GetCallerIdentityCommand({}), { abortSignal }),
      );
      expect(
        identity.Arn?.includes(':assumed-role/orders-writer/') === true,
        `STS sees ${identity.Arn}`,
      );
      this.#say(`  Arn      ${identity.Arn}`);
      this.#say(`  Account  ${identity.Account}`);
    } finally {
      client.destroy();
    }
  }

  async exchangeAgain(token: string): Promise<void> {
    this.#title('The same request again: decided and recorded anew, answered from the cache');
    const { status, milliseconds } = await this.#post(token);
    expect(status === 200, `the broker answered ${status}`);
    this.#say(`  ${milliseconds.toFixed(1)} ms`);
  }

  async refusal({ title, client, status, code }: Refusal): Promise<void> {
    this.#title(title);
    const answer = await this.#post(await this.#fetchToken(this.#client(client)));
    expect(answer.status === status, `the broker answered ${answer.status}, not ${status}`);
    expect(answer.body['code'] === code, `the code is ${String(answer.body['code'])}, not ${code}`);
    this.#say(`  ${answer.status} ${code}`);
    this.#say(wrap(String(answer.body['detail']), '  '));
  }

  /** What STS is shown, where a mapping has the identity of the broker. */
  async brokersIdentity(): Promise<void> {
    this.#title('A token without "aud" again, by a mapping with the identity of the broker');
    const { ready, sts, trail } = this.#environment;
    const token = await this.#fetchToken(this.#client('ledger'));
    const { status, body } = await this.#post(token);
    expect(status === 200, `the broker answered ${status}`);
    this.#say(`  200  ${String(body['role'])}`);
    const event = trail.at(-1) ?? {};
    const { principalTags, sourceIdentity } = event['requestParameters'] as Record<string, unknown>;
    const { userName } = event['userIdentity'] as Record<string, unknown>;
    expect(sourceIdentity !== undefined, 'CloudTrail has no source identity');
    this.#say('The local CloudTrail record says who it was:');
    this.#say(`  userName        ${String(userName)}`);
    this.#say(`  sourceIdentity  ${String(sourceIdentity)}`);
    this.#say(`  principalTags   ${JSON.stringify(principalTags)}`);
    this.#say(`  additional      ${JSON.stringify(event['additionalEventData'])}`);
    const thief = await sts.showAgain(localIdentity.otherRole);
    expect(thief === 'InvalidIdentityToken', `STS says ${thief} to another role`);
    this.#say(`That token of the broker, stolen and shown for another role: ${thief}`);
    const { text } = await ask(ready.sts, stsRequest(localIdentity.role, token));
    const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1];
    expect(code === 'InvalidIdentityToken', `STS says ${code} to the caller's own token`);
    this.#say(`The caller's own token at STS, without the broker: ${code}`);
  }

  async auditTrail(): Promise<void> {
    this.#title('What the audit log says of these requests');
    const { ready, auditDirectory } = this.#environment;
    const records = readFileSync(ready.auditLog, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ type }) => type === 'exchange');
    for (const id of this.#requestIds) {
      const record = records.find(({ requestId }) => requestId === id);
      expect(record !== undefined, `there is no record of request ${id}`);
      this.#say(`  ${describeRecord(record ?? {})}`);
    }
    const lines: string[] = [];
    const code = await auditVerify({
      directory: [auditDirectory],
      json: false,
      out: (text) => void lines.push(text),
    });
    this.#say(`\n  audit verify: ${lines.join('').trim().replaceAll('\n', '\n  ')}`);
    expect(code === 0, 'the hash chain of the audit log is broken');
  }

  /** What nobody can keep a caller from whose own token STS takes, and nobody but the broker can tell. */
  async bypass(token: string): Promise<void> {
    this.#title('Somebody takes the token of "orders" to STS directly, without the broker');
    const { ready, trail } = this.#environment;
    const { status } = await ask(ready.sts, stsRequest(this.#client('orders').role ?? '', token));
    expect(status === 200, `STS answered ${status}`);
    const session = trail.at(-1)?.['responseElements'] as {
      credentials: { accessKeyId: string };
    };
    const { accessKeyId } = session.credentials;
    this.#say(`STS gives credentials (${accessKeyId}), and no broker has a record of them.`);
    this.#say(
      'cloudtrail check holds the local CloudTrail file against the audit log. It judges what is',
    );
    this.#say('five minutes old; here it is told that the log is read ten minutes from now:');
    const { code, found } = await this.#checkTrail();
    for (const { class: kind, time, role, event } of found) {
      this.#say(`  ${kind}  ${time}  ${role}`);
      this.#say(`          by ${event.subject} from ${event.sourceIp}`);
    }
    const named = found.map(({ class: kind, accessKeyId: key }) => `${kind} ${key}`);
    expect(
      code === 2 && named.join() === `bypass ${accessKeyId}`,
      `cloudtrail check ended with ${code} and named ${named.join(', ') || 'nothing'}`,
    );
    this.#say('  Every other session of the trail is on record.');
  }

  async #checkTrail() {
    const { ready, auditDirectory } = this.#environment;
    let printed = '';
    const code = await cloudTrailCheck({
      audit: [auditDirectory],
      trail: [ready.cloudTrail],
      role: [],
      auditUntil: new Date(systemClock.now() + 10 * 60_000).toISOString(),
      unused: false,
      buckets: { region: undefined, endpoint: undefined, bucketOwner: undefined },
      clock: systemClock,
      output: {
        ...this.#output,
        out: (text) => {
          printed += text;
        },
      },
      terminal: { colours: false, ask: undefined, showProgress: () => undefined },
    });
    const lines = printed
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { readonly type: string });
    const isFinding = (line: { readonly type: string }): line is FoundBypass =>
      line.type === 'finding';
    return { code, found: lines.filter(isFinding) };
  }

  async metrics(): Promise<void> {
    this.#title('A few metrics');
    const { response, text } = await ask(`${this.#environment.ready.ops}/metrics`);
    expect(response.status === 200, `the metrics page answered ${response.status}`);
    const wanted =
      /^tokenbroker_(?:credential_requests_total|credential_cache_events_total|policy_revision|audit_records_total)/;
    const lines = text.split('\n').filter((line) => wanted.test(line));
    expect(lines.length > 3, 'the metrics page lacks the counters');
    for (const line of lines) this.#say(`  ${line}`);
  }

  #client(name: string): LocalClient {
    const client = this.#environment.ready.clients.find((candidate) => candidate.name === name);
    if (client === undefined) throw new Error(`there is no app client ${name}`);
    return client;
  }

  async #fetchToken({ clientId, clientSecret, scope }: LocalClient): Promise<string> {
    const { response, text } = await ask(this.#environment.ready.tokenEndpoint, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: `${new URLSearchParams({ grant_type: 'client_credentials', scope })}`,
    });
    expect(response.status === 200, `the issuer answered ${response.status}`);
    return (JSON.parse(text) as { access_token: string }).access_token;
  }

  async #post(token: string) {
    const startedAt = systemClock.monotonic();
    const { response, text } = await ask(`${this.#environment.ready.broker}/v1/credentials`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    });
    const body = JSON.parse(text) as Record<string, unknown>;
    const milliseconds = systemClock.monotonic() - startedAt;
    this.#requestIds.push(response.headers.get('x-request-id') ?? '');
    return { status: response.status, body, milliseconds };
  }

  #title(text: string): void {
    this.#step += 1;
    this.#output.out(`\n${this.#step}. ${text}\n`);
  }

  #say(text: string): void {
    this.#output.out(`   ${text}\n`);
  }
}

function describeRecord(record: Record<string, unknown>): string {
  const token = record['token'] as { clientId?: string } | undefined;
  const issued = record['credentials'] as { cached: boolean; accessKeyId: string } | undefined;
  const what =
    issued === undefined
      ? [record['code'], record['reason']].filter((part) => part !== undefined).join(': ')
      : `${issued.accessKeyId} (${issued.cached ? 'from the cache' : 'from STS'})`;
  return `#${record['seq']} ${record['outcome']}  ${token?.clientId ?? '-'}  ${what}`;
}

function wrap(text: string, indent: string): string {
  const lines = text.match(/.{1,88}(?:\s|$)/g) ?? [text];
  return lines.map((line) => indent + line.trimEnd()).join('\n   ');
}

function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
