/** `explain`: asks a broker's admin listener what it would decide for a caller, and says why. */

import { TokenBrokerError } from '../client/broker-client.ts';
import { readTokenFile } from '../client/token-file.ts';
import { type JsonObject, parseJsonObject } from '../kit/json/json-object.ts';
import { type BoundedAnswer, boundedFetch } from '../kit/net/bounded-fetch.ts';
import { isSecureUrl } from '../kit/net/secure-url.ts';
import { urlBelow } from '../kit/net/url-below.ts';
import { systemClock } from '../kit/timing/clock.ts';
import { explanationReport } from './explanation-report.ts';
import { exitCodes, type Output } from './output.ts';
import { printable } from './printable.ts';

export interface ExplainOptions {
  /** Of the admin listener. */
  readonly url: string;
  /** Files with one JWT each: no secret belongs on a command line. */
  readonly adminTokenFile: string;
  readonly tokenFile: string;
  readonly role: string | undefined;
  readonly durationSeconds: number | undefined;
  /** Default: the address that this command comes from. */
  readonly sourceIp: string | undefined;
  readonly json: boolean;
  readonly output: Output;
}

const maxAnswerBytes = 4 * 1024 * 1024;

/** Exit code: 0 it would be allowed; 1 it would not, or nobody can say; 2 wrong usage. */
export async function explainCommand(options: ExplainOptions): Promise<number> {
  const { output, json } = options;
  const request = await prepare(options);
  if (typeof request === 'string') {
    output.err(`${printable(request)}\n`);
    return exitCodes.usage;
  }
  const answer = await ask(request);
  if (answer.kind === 'failed') {
    output.err(`${printable(answer.detail)}\n`);
    return exitCodes.failed;
  }
  const { text, allowed } = explanationReport(answer.document);
  output.out(json ? `${JSON.stringify(answer.document)}\n` : text);
  return allowed ? exitCodes.ok : exitCodes.failed;
}

interface PreparedRequest {
  readonly url: URL;
  readonly adminToken: string;
  readonly body: string;
}

/** A text says what is wrong. */
async function prepare(options: ExplainOptions): Promise<PreparedRequest | string> {
  const { adminTokenFile, tokenFile, role, durationSeconds, sourceIp } = options;
  const url = adminUrl(options.url);
  if (typeof url === 'string') return url;
  try {
    const adminToken = await readTokenFile(adminTokenFile);
    const token = await readTokenFile(tokenFile);
    // Members that are undefined are not sent.
    const body = JSON.stringify({ token, request: { role, durationSeconds, sourceIp } });
    return { url, adminToken, body };
  } catch (error) {
    if (error instanceof TokenBrokerError) return error.message;
    throw error;
  }
}

function adminUrl(text: string): URL | string {
  const base = URL.canParse(text) ? new URL(text) : undefined;
  if (base === undefined || !/^https?:$/.test(base.protocol) || base.username !== '') {
    return '--url must be an http or https URL without user information.';
  }
  if (!isSecureUrl(base)) {
    return '--url must be https: tokens are not sent in the clear beyond this machine.';
  }
  return urlBelow(base, '/v1/explain');
}

type Answer =
  | { readonly kind: 'answered'; readonly document: unknown }
  | { readonly kind: 'failed'; readonly detail: string };

async function ask({ url, adminToken, body }: PreparedRequest): Promise<Answer> {
  const failed = (detail: string): Answer => ({ kind: 'failed', detail });
  let answer: BoundedAnswer;
  try {
    answer = await boundedFetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      body,
      clock: systemClock,
      timeoutMs: 10_000,
      maxBytes: maxAnswerBytes,
    });
  } catch (error) {
    return failed(`${url.origin} does not answer (${(error as Error).message}).`);
  }
  const { status } = answer;
  const document = parseJsonObject(Buffer.from(answer.body ?? []).toString('utf8'));
  if (document === undefined) {
    return failed(`${url.origin} answers ${status}, and not as an admin listener would.`);
  }
  return status === 200 ? { kind: 'answered', document } : failed(problemText(status, document));
}

/** RFC 9457. */
function problemText(status: number, { code, title, detail, request_id }: JsonObject) {
  const parts = [detail ?? title, code === undefined ? undefined : `code ${String(code)}`];
  if (request_id !== undefined) parts.push(`request ${String(request_id)}`);
  return `The admin listener answers ${status}: ${parts.filter((part) => part !== undefined).join('; ')}`;
}
