import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { parseTrustPolicy, trustsAnyIdentityPool } from '../../src/iam-policy/trust-policy.ts';
import type { Clock } from '../../src/kit/timing/clock.ts';
import {
  callerIdentityXml,
  errorXml,
  resultTail,
  webIdentityAction,
  webIdentityHead,
} from '../../src/sts-protocol/answers.ts';
import type { QueryParameters } from '../../src/sts-protocol/query-form.ts';
import { checkSignatureV4, SignatureError } from '../../src/sts-protocol/signature-v4.ts';
import { closeServer, listenOnLoopback, readBody, staysOpen } from '../loopback-http.ts';
import { type CloudTrailEvent, exchangeEvent } from './cloudtrail-events.ts';
import { type IamUser, IssuedKeys } from './issued-keys.ts';
import { OidcProviders, type OpenIdConnectProvider } from './oidc-providers.ts';
import { type CallDraft, describeCall, type LoggedStsCall, StsCallLog } from './sts-call-log.ts';
import { StsError } from './sts-error.ts';
import { type RequestFault, type StsFault, StsFaultSwitch } from './sts-fault.ts';
import { operationOf, parseStsQuery } from './sts-query.ts';
import {
  exchangeWebIdentity,
  type TrustingRole,
  type WebIdentityAction,
} from './web-identity-exchange.ts';
import {
  parseRoleArn,
  parseWebIdentityRequest,
  type WebIdentityParameters,
} from './web-identity-request.ts';

export interface IamRole {
  readonly arn: string;
  /** 3600 to 43200 as in IAM; default 3600. */
  readonly maxSessionDurationSeconds?: number;
  /** An IAM trust policy document. */
  readonly trustPolicy: object;
}

export interface StsServerOptions {
  readonly clock: Clock;
  /** Default 0: any free port. */
  readonly port?: number;
  readonly providers: readonly OpenIdConnectProvider[];
  readonly roles: readonly IamRole[];
  /** Who may ask GetCallerIdentity, besides sessions; default nobody. */
  readonly users?: readonly IamUser[];
  /** Added to every answer; default 0. */
  readonly latencyMs?: number;
  /** Gets what CloudTrail would record of each exchange that succeeds. */
  readonly onEvent?: (event: CloudTrailEvent) => void;
  /** The VPC endpoint id that trust policies see as `aws:SourceVpce`; default none. */
  readonly sourceVpce?: string;
}

export interface StsServer {
  readonly url: string;
  /** The latest 1,000 requests, oldest first, in order of arrival. */
  readonly requests: readonly LoggedStsCall[];
  /** As they are now. */
  readonly roles: readonly IamRole[];
  readonly providers: readonly OpenIdConnectProvider[];
  /** Adds a role, or replaces the one with the same ARN. Throws for a role that IAM would not save. */
  putRole(role: IamRole): void;
  /** Adds a provider, or replaces the one for the same issuer in the same account. */
  putProvider(provider: OpenIdConnectProvider): void;
  /** Whatever is there of that role or that issuer, in that account, is gone. */
  removeRole(arn: string): void;
  removeProvider(accountId: string, issuer: string): void;
  setFault(fault: StsFault | undefined): void;
  /**
   * Sends the token of the last exchange that succeeded once more, for that role: what a thief of it could do. The token
   * is in memory for this alone.
   *
   * @returns the error code; `ok` if there are credentials for it.
   */
  showAgain(roleArn: string): Promise<string>;
  /** Ends every connection, also those that hang. May be called twice. */
  stop(): Promise<void>;
}

/**
 * Starts an STS on loopback that speaks the query protocol and, unlike other emulators, validates what it is
 * given: the token's signature, issuer, audience and expiry, the role's trust policy, the session policy, and
 * SigV4 signatures made with the keys it issued. It knows AssumeRoleWithWebIdentity and GetCallerIdentity.
 */
export async function startStsServer(options: StsServerOptions): Promise<StsServer> {
  const sts = new LocalSts(options);
  const server = createServer(staysOpen, (req, res) => void sts.handle(req, res));
  const url = await listenOnLoopback(server, options.port);
  return {
    url,
    requests: sts.calls,
    get roles() {
      return sts.roles;
    },
    get providers() {
      return sts.providers;
    },
    putRole: (role) => sts.putRole(role),
    putProvider: (provider) => sts.putProvider(provider),
    removeRole: (arn) => sts.removeRole(arn),
    removeProvider: (accountId, issuer) => sts.removeProvider(accountId, issuer),
    setFault: (fault) => sts.setFault(fault),
    showAgain: (roleArn) => sts.showAgain(roleArn),
    async stop() {
      sts.stop();
      await closeServer(server);
    },
  };
}

const maxBodyBytes = 64 * 1024;

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

class LocalSts {
  readonly #log = new StsCallLog();
  readonly #clock: Clock;
  readonly #latencyMs: number;
  readonly #sourceVpce: string | undefined;
  readonly #providers: OidcProviders;
  readonly #roles = new Map<string, TrustingRole>();
  readonly #documents = new Map<string, IamRole>();
  readonly #keys = new IssuedKeys();
  readonly #faults = new StsFaultSwitch();
  #last: QueryParameters = new Map();
  readonly #onEvent: (event: CloudTrailEvent) => void;

  constructor({
    clock,
    providers,
    roles,
    users = [],
    latencyMs = 0,
    onEvent = () => {},
    sourceVpce,
  }: StsServerOptions) {
    this.#onEvent = onEvent;
    this.#clock = clock;
    this.#latencyMs = latencyMs;
    this.#sourceVpce = sourceVpce;
    this.#providers = new OidcProviders({ clock });
    for (const provider of providers) this.putProvider(provider);
    for (const role of roles) this.putRole(role);
    for (const user of users) this.#keys.admit(user);
  }

  get calls(): readonly LoggedStsCall[] {
    return this.#log.calls;
  }

  get roles(): readonly IamRole[] {
    return [...this.#documents.values()];
  }

  get providers(): readonly OpenIdConnectProvider[] {
    return this.#providers.all();
  }

  putRole(role: IamRole): void {
    const { arn, maxSessionDurationSeconds = 3600, trustPolicy } = role;
    if (!parseRoleArn(arn)) throw new Error('"arn" is not the ARN of an IAM role');
    if (maxSessionDurationSeconds < 3600 || maxSessionDurationSeconds > 43_200) {
      throw new Error('"maxSessionDurationSeconds" must be 3600 to 43200');
    }
    const parsed = parseTrustPolicy(trustPolicy);
    if (trustsAnyIdentityPool(parsed)) {
      throw new Error('trust policy: an allow for identity pools needs a condition on their "aud"');
    }
    this.#roles.set(arn, { maxSessionDurationSeconds, trustPolicy: parsed });
    this.#documents.set(arn, role);
  }

  putProvider(provider: OpenIdConnectProvider): void {
    this.#providers.put(provider);
  }

  removeRole(arn: string): void {
    this.#roles.delete(arn);
    this.#documents.delete(arn);
  }

  removeProvider(accountId: string, issuer: string): void {
    this.#providers.remove(accountId, issuer);
  }

  setFault(fault: StsFault | undefined): void {
    this.#faults.set(fault);
  }

  stop(): void {
    this.#providers.stop();
  }

  async showAgain(roleArn: string): Promise<string> {
    try {
      const parameters = new Map(this.#last).set('RoleArn', roleArn);
      await this.#exchange(parseWebIdentityRequest(parameters));
      return 'ok';
    } catch (error) {
      return asStsError(error).code;
    }
  }

  #exchange(request: WebIdentityParameters): Promise<WebIdentityAction> {
    return exchangeWebIdentity(request, {
      clock: this.#clock,
      providers: this.#providers,
      findRole: (roleArn) => this.#roles.get(roleArn),
      keys: this.#keys,
      sourceVpce: this.#sourceVpce,
    });
  }

  async handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const requestId = randomUUID();
    const call = this.#log.start();
    const send = (answer: Answer) => this.#send(res, answer, requestId);
    try {
      const body = await requestBody(req);
      await this.#delay(res);
      const fault = this.#faults.takeRequestFault();
      if (fault) {
        describeCall(call, parametersOrNone(req, body));
        strike(fault, { req, call, send, requestId });
        return;
      }
      const xml = await this.#answer({ req, body, call, requestId });
      call.code = 'ok';
      send({ status: 200, contentType: 'text/xml', body: xml });
    } catch (error) {
      const { status, code, message } = asStsError(error);
      call.code = code;
      const body = errorXml({ status, code, message }, requestId);
      send({ status, contentType: 'text/xml', body });
    }
  }

  async #answer({ req, body, call, requestId }: Exchange): Promise<string> {
    const parameters = parseStsQuery(req.headers['content-type'], body);
    describeCall(call, parameters);
    const operation = operationOf(parameters);
    switch (operation) {
      case 'AssumeRoleWithWebIdentity': {
        const request = parseWebIdentityRequest(parameters);
        const exchange = await this.#exchange(request);
        this.#last = parameters;
        const { answer } = exchange;
        const now = this.#clock.now();
        const userAgent = req.headers['user-agent'];
        this.#onEvent(exchangeEvent({ request, exchange, requestId, now, userAgent }));
        call.subject = answer.subjectFromWebIdentityToken ?? '';
        const lie = this.#faults.takeAnswerFault();
        const head = webIdentityHead(lie ? lie.rewrite(answer) : answer);
        return head + resultTail(webIdentityAction, requestId);
      }
      case 'GetCallerIdentity': {
        const { method = '', rawHeaders } = req;
        const signed = { method, path: '/', rawHeaders, body };
        const key = checkSignatureV4(signed, {
          service: 'sts',
          now: this.#clock.now(),
          findKey: (accessKeyId) => this.#keys.find(accessKeyId),
        });
        const { assumedRoleArn: arn, assumedRoleId: userId, accountId: account } = key;
        return callerIdentityXml({ arn, userId, account }, requestId);
      }
    }
  }

  /** Never comes back if the client leaves first. */
  #delay(res: ServerResponse): Promise<void> {
    if (this.#latencyMs === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#clock.after(this.#latencyMs, resolve);
      res.once('close', () => timer.cancel());
    });
  }

  #send(res: ServerResponse, { status, contentType, body }: Answer, requestId: string): void {
    const bytes = Buffer.from(body);
    res.writeHead(status, {
      'content-type': contentType,
      'content-length': bytes.length,
      'cache-control': 'no-store',
      'x-amzn-RequestId': requestId,
      // SDKs correct their own clock by this header when a signature is refused as too old.
      date: new Date(this.#clock.now()).toUTCString(),
      ...(status === 405 ? { allow: 'POST' } : {}),
      // The rest of an oversized body is not read, so the connection cannot be used again.
      ...(status === 413 ? { connection: 'close' } : {}),
    });
    res.end(bytes);
  }
}

interface Exchange {
  readonly req: IncomingMessage;
  readonly body: Buffer;
  readonly call: CallDraft;
  readonly requestId: string;
}

interface Strike {
  readonly req: IncomingMessage;
  readonly call: CallDraft;
  readonly send: (answer: Answer) => void;
  readonly requestId: string;
}

function strike(fault: RequestFault, { req, call, send, requestId }: Strike): void {
  call.code = fault.kind === 'error' ? fault.code : fault.kind;
  switch (fault.kind) {
    case 'hang':
      return;
    case 'reset':
      req.socket.resetAndDestroy();
      return;
    case 'error': {
      const body = errorXml(fault, requestId);
      send({ status: fault.status, contentType: 'text/xml', body });
      return;
    }
    case 'body':
      send(fault);
      return;
  }
}

async function requestBody(req: IncomingMessage): Promise<Buffer> {
  // AWS takes GET as well; here a token in a URL, which ends up in logs, is an error.
  if (req.method !== 'POST') {
    throw new StsError('MethodNotAllowed', 'Send the parameters as a form with POST');
  }
  if (req.url !== '/') {
    throw new StsError('MalformedQueryString', 'The path must be / and there must be no query');
  }
  const body = await readBody(req, maxBodyBytes);
  switch (body.kind) {
    case 'complete':
      return body.bytes;
    case 'too_large':
      throw new StsError('RequestEntityTooLarge', 'The request is larger than 64 KiB');
    case 'disconnected':
      throw new StsError('MalformedInput', 'The request ended early');
  }
}

function parametersOrNone(req: IncomingMessage, body: Buffer): QueryParameters {
  try {
    return parseStsQuery(req.headers['content-type'], body);
  } catch {
    return new Map();
  }
}

function asStsError(error: unknown): StsError {
  if (error instanceof StsError) return error;
  if (error instanceof SignatureError) return new StsError(error.code, error.message);
  return new StsError('InternalFailure', 'The local STS failed');
}
