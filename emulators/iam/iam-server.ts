/**
 * An IAM on loopback that speaks the query protocol about the roles and providers of the local STS: what `token-broker doctor` reads,
 * and the few writes that its cures name. Signatures are not verified, and it has never met the real service.
 */

import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  parseQueryForm,
  QueryFormError,
  type QueryParameters,
} from '../../src/sts-protocol/query-form.ts';
import { type XmlElement, xmlElements } from '../../src/sts-protocol/xml.ts';
import {
  closeServer,
  comesFromBrowser,
  listenOnLoopback,
  readBody,
  staysOpen,
} from '../loopback-http.ts';
import type { StsServer } from '../sts/sts-server.ts';
import { IamError } from './iam-error.ts';
import { type IamOperation, iamOperations } from './iam-operations.ts';
import type { RolePolicies } from './role-policies.ts';

export interface IamServerOptions {
  /** Default 0: any free port. */
  readonly port?: number;
  /** Whose credentials are used: an account sees its own. */
  readonly accountId: string;
  readonly sts: StsServer;
  readonly policies: RolePolicies;
}

export interface IamServer {
  readonly url: string;
  /** Names of the actions that were asked for, in order; the last 1,000. */
  readonly asked: readonly string[];
  /** As PutRolePolicy does. */
  putRolePolicy(roleName: string, policy: string, document: object): void;
  /** As AttachRolePolicy does, of a managed policy whose default version is this document. */
  attachRolePolicy(roleName: string, arn: string, document: object): void;
  /** From now on these actions are denied, as where the credentials lack the permission. */
  deny(actions: readonly string[]): void;
  /** The next answers, instead of what it would say; without an argument, no longer. */
  answerWith(body?: string): void;
  stop(): Promise<void>;
}

const maxBodyBytes = 256 * 1024;
const maxAsked = 1000;
const namespace = 'https://iam.amazonaws.com/doc/2010-05-08/';

export async function startIamServer(options: IamServerOptions): Promise<IamServer> {
  const asked: string[] = [];
  let denied: ReadonlySet<string> = new Set();
  let scripted: string | undefined;

  async function answer(req: IncomingMessage): Promise<string> {
    const parameters = await parametersOf(req);
    const action = parameters.get('Action') ?? '';
    asked.push(action);
    if (asked.length > maxAsked) asked.shift();
    if (!req.headers.authorization?.startsWith('AWS4-')) {
      throw new IamError('MissingAuthenticationToken', 'Request is missing Authentication Token');
    }
    if (denied.has(action)) {
      const who = `arn:aws:iam::${options.accountId}:user/operator`;
      throw new IamError(
        'AccessDenied',
        `User: ${who} is not authorized to perform: iam:${action}`,
      );
    }
    return scripted ?? resultDocument(action, { ...options, parameters });
  }

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (comesFromBrowser(req)) return void res.writeHead(403, { connection: 'close' }).end();
    try {
      send(res, 200, await answer(req));
    } catch (error) {
      const { code, status, message } = asIamError(error);
      const fields: XmlElement[] = [
        ['Type', 'Sender'],
        ['Code', code],
        ['Message', message],
      ];
      send(
        res,
        status,
        document('ErrorResponse', [
          ['Error', fields],
          ['RequestId', randomUUID()],
        ]),
      );
    }
  }

  const server = createServer(
    staysOpen,
    (req, res) => void handle(req, res).catch(() => res.destroy()),
  );
  const url = await listenOnLoopback(server, options.port);
  return {
    url,
    asked,
    putRolePolicy: (roleName, policy, document) => options.policies.put(roleName, policy, document),
    attachRolePolicy: (roleName, arn, document) =>
      options.policies.attach(roleName, { arn, document }),
    deny(actions) {
      denied = new Set(actions);
    },
    answerWith(body) {
      scripted = body;
    },
    stop: () => closeServer(server),
  };
}

async function parametersOf(req: IncomingMessage): Promise<QueryParameters> {
  const body = await readBody(req, maxBodyBytes);
  if (body.kind !== 'complete') throw new IamError('MalformedInput', 'The request is too large');
  return parseQueryForm(body.bytes);
}

function resultDocument(action: string, asked: Parameters<IamOperation>[0]): string {
  const operation = iamOperations.get(action);
  if (operation === undefined) {
    throw new IamError('InvalidAction', 'The local IAM does not know this action');
  }
  return document(`${action}Response`, [
    [`${action}Result`, operation(asked)],
    ['ResponseMetadata', [['RequestId', randomUUID()]]],
  ]);
}

function asIamError(error: unknown): IamError {
  if (error instanceof IamError) return error;
  if (error instanceof QueryFormError) return new IamError('MalformedInput', error.message);
  return new IamError('ServiceFailure', 'The local IAM failed');
}

function document(name: string, elements: readonly XmlElement[]): string {
  return `<${name} xmlns="${namespace}">\n${xmlElements(elements)}</${name}>\n`;
}

function send(res: ServerResponse, status: number, body: string): void {
  const bytes = Buffer.from(body);
  res.writeHead(status, { 'content-type': 'text/xml', 'content-length': bytes.length });
  res.end(bytes);
}
