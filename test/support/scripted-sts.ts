import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { closeServer, listenOnLoopback, staysOpen } from '../../emulators/loopback-http.ts';
import type { Clock } from '../../src/kit/timing/clock.ts';
import { toRfc3339 } from '../../src/kit/timing/clock.ts';

/** What one AssumeRoleWithWebIdentity request asked for. */
export interface ScriptedCall {
  readonly roleArn: string;
  readonly sessionName: string;
  readonly token: string;
  /** `sub` of the token, which is not verified. */
  readonly subject: string;
  readonly durationSeconds: number;
  readonly policy: string | null;
  readonly policyArns: readonly string[];
  readonly form: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
}

export type ScriptedAnswer =
  | 'hang'
  | 'reset'
  | {
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body: string;
      /** Sends `body`, then neither more nor the end. */
      readonly stall?: boolean;
    };

type Script = (call: ScriptedCall, number: number) => ScriptedAnswer | Promise<ScriptedAnswer>;

export interface ScriptedSts {
  readonly url: string;
  readonly calls: readonly ScriptedCall[];
  script: Script;
  stop(): Promise<void>;
}

/** An STS that answers whatever the script says; by default an honest success that encodes who asked. */
export async function startScriptedSts(clock: Clock): Promise<ScriptedSts> {
  const calls: ScriptedCall[] = [];
  const script: Script = honestly(clock);
  const sts = { url: '', calls, script, stop: () => closeServer(server) };
  const server = createServer(
    staysOpen,
    (req, res) =>
      void readCall(req).then(async (call) => {
        calls.push(call);
        send(res, await sts.script(call, calls.length));
      }),
  );
  sts.url = await listenOnLoopback(server);
  return sts;
}

export function honestly(clock: Clock): (call: ScriptedCall, number: number) => ScriptedAnswer {
  return (call, number) => success(honestFields(call, number, clock.now()));
}

/** Elements of the answer by name; `undefined` leaves one out. */
export interface AnswerFields {
  AccessKeyId?: string | undefined;
  SecretAccessKey?: string | undefined;
  SessionToken?: string | undefined;
  Expiration?: string | undefined;
  Arn?: string | undefined;
  AssumedRoleId?: string | undefined;
  SubjectFromWebIdentityToken?: string | undefined;
  Audience?: string | undefined;
  Provider?: string | undefined;
}

export const secretCanary = 'CANARY/secret+access/key';
export const tokenCanary = 'CANARY-web-identity-token';

/** Whose credentials these are, readable again with `askerOf`. */
export function honestFields(call: ScriptedCall, number: number, now: number): AnswerFields {
  const asker = Buffer.from(
    JSON.stringify([
      number,
      call.roleArn,
      call.sessionName,
      call.subject,
      call.token,
      call.durationSeconds,
      call.policy,
      call.policyArns,
    ]),
  ).toString('base64url');
  const digest = createHash('sha256').update(asker).digest('hex').toUpperCase();
  const [, , , , account, role] = call.roleArn.split(':');
  return {
    AccessKeyId: `ASIA${digest.slice(0, 16)}`,
    SecretAccessKey: `${secretCanary}${digest.slice(0, 16)}`,
    SessionToken: asker,
    Expiration: toRfc3339(now + call.durationSeconds * 1000),
    Arn: `arn:aws:sts::${account}:assumed-role/${role?.split('/').at(-1)}/${call.sessionName}`,
    AssumedRoleId: `AROASCRIPTEDSTSROLE01:${call.sessionName}`,
    SubjectFromWebIdentityToken: call.subject,
  };
}

export interface Asker {
  readonly number: number;
  readonly roleArn: string;
  readonly sessionName: string;
  readonly subject: string;
  readonly token: string;
  readonly durationSeconds: number;
  readonly policy: string | null;
  readonly policyArns: readonly string[];
}

export function askerOf(sessionToken: string): Asker {
  const [number, roleArn, sessionName, subject, token, durationSeconds, policy, policyArns] =
    JSON.parse(Buffer.from(sessionToken, 'base64url').toString());
  return { number, roleArn, sessionName, subject, token, durationSeconds, policy, policyArns };
}

export function successXml(fields: AnswerFields): string {
  const xml = (name: keyof AnswerFields) =>
    fields[name] === undefined ? '' : `<${name}>${fields[name]}</${name}>`;
  return `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
${xml('SubjectFromWebIdentityToken')}${xml('Audience')}${xml('Provider')}
<AssumedRoleUser>${xml('Arn')}${xml('AssumedRoleId')}</AssumedRoleUser>
<Credentials>${xml('AccessKeyId')}${xml('SecretAccessKey')}${xml('SessionToken')}${xml('Expiration')}</Credentials>
</AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>`;
}

export const requestId = '01234567-89ab-cdef-0123-456789abcdef';
const stsHeaders = { 'content-type': 'text/xml', 'x-amzn-requestid': requestId };

export function success(fields: AnswerFields): ScriptedAnswer {
  return { status: 200, headers: stsHeaders, body: successXml(fields) };
}

export function failure(status: number, code: string, message = 'refused'): ScriptedAnswer {
  return {
    status,
    headers: stsHeaders,
    body: `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>${requestId}</RequestId></ErrorResponse>`,
  };
}

async function readCall(req: IncomingMessage): Promise<ScriptedCall> {
  let body = '';
  for await (const chunk of req) body += chunk;
  const form = new URLSearchParams(body);
  const token = form.get('WebIdentityToken') ?? '';
  return {
    roleArn: form.get('RoleArn') ?? '',
    sessionName: form.get('RoleSessionName') ?? '',
    token,
    subject: JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sub,
    durationSeconds: Number(form.get('DurationSeconds')),
    policy: form.get('Policy'),
    policyArns: [...form]
      .filter(([name]) => /^PolicyArns\.member/.test(name))
      .map(([, arn]) => arn),
    form,
    headers: req.headers,
  };
}

function send(res: ServerResponse, answer: ScriptedAnswer): void {
  if (answer === 'hang') return;
  if (answer === 'reset') {
    res.socket?.resetAndDestroy();
    return;
  }
  res.writeHead(answer.status ?? 200, answer.headers ?? {});
  if (answer.stall) res.write(answer.body);
  else res.end(answer.body);
}
