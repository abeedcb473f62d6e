/** The three forms in which the broker is asked for credentials, each with the shape of its answers. */

import type { CrowdCaller } from './world.ts';

export const formNames = ['rest', 'container', 'sts'] as const;
export type FormName = (typeof formNames)[number];

export interface Ask {
  readonly caller: CrowdCaller;
  /** Default: REST. */
  readonly form?: FormName | undefined;
  /** Id of a mapping or ARN of a role. Default: none, and that of the caller in the STS form. */
  readonly role?: string | undefined;
  /** A duration nobody has asked for before needs an exchange; without one the caller's session is warm. */
  readonly durationSeconds?: number | undefined;
  /** In the STS form alone, as is the policy. */
  readonly sessionName?: string | undefined;
  readonly policy?: string | undefined;
  readonly userAgent?: string | undefined;
}

/** What an answer says, in whichever form. */
export interface Told {
  readonly code?: string | undefined;
  readonly accessKeyId?: string | undefined;
  /** ARN; the STS form does not say it. */
  readonly role?: string | undefined;
  readonly expiration?: string | undefined;
}

interface Form {
  request(host: string, ask: Ask): string;
  read(body: string): Told;
  /** Of errors. */
  readonly contentType: RegExp;
}

export const forms: Readonly<Record<FormName, Form>> = {
  rest: {
    request(host, ask) {
      const { role, durationSeconds } = ask;
      const asked = role !== undefined || durationSeconds !== undefined;
      const body = asked ? JSON.stringify({ role, durationSeconds }) : '';
      const type = asked ? 'application/json' : undefined;
      return message('POST /v1/credentials', { host, ask, type, body });
    },
    read(text) {
      const { code, role, credentials } = JSON.parse(text) as {
        readonly code?: string;
        readonly role?: string;
        readonly credentials?: { readonly accessKeyId: string; readonly expiration: string };
      };
      const { accessKeyId, expiration } = credentials ?? {};
      return { code, role, accessKeyId, expiration };
    },
    contentType: /\r\ncontent-type: application\/problem\+json/i,
  },
  container: {
    request(host, ask) {
      const query = ask.role === undefined ? '' : `?role=${encodeURIComponent(ask.role)}`;
      return message(`GET /v1/credentials${query}`, { host, ask });
    },
    read(text) {
      const body = JSON.parse(text) as Readonly<Record<string, string>>;
      return {
        code: body['Code'],
        role: body['RoleArn'],
        accessKeyId: body['AccessKeyId'],
        expiration: body['Expiration'],
      };
    },
    contentType: /\r\ncontent-type: application\/json/i,
  },
  sts: {
    request(host, ask) {
      const { caller, durationSeconds, policy } = ask;
      const body = new URLSearchParams({
        Action: 'AssumeRoleWithWebIdentity',
        Version: '2011-06-15',
        RoleArn: ask.role ?? caller.role ?? 'none',
        RoleSessionName: ask.sessionName ?? 'faults',
        WebIdentityToken: caller.token,
        ...(durationSeconds === undefined ? {} : { DurationSeconds: String(durationSeconds) }),
        ...(policy === undefined ? {} : { Policy: policy }),
      });
      const type = 'application/x-www-form-urlencoded';
      return message('POST /sts', { host, ask, type, body: body.toString() });
    },
    read(text) {
      const textOf = (name: string) => new RegExp(`<${name}>([^<]*)<`).exec(text)?.[1];
      return {
        code: textOf('Code'),
        accessKeyId: textOf('AccessKeyId'),
        expiration: textOf('Expiration'),
      };
    },
    contentType: /\r\ncontent-type: text\/xml/i,
  },
};

interface Parts {
  readonly host: string;
  readonly ask: Ask;
  readonly type?: string | undefined;
  readonly body?: string;
}

function message(line: string, { host, ask, type, body = '' }: Parts): string {
  const { caller, userAgent } = ask;
  const headers = [
    `${line} HTTP/1.1`,
    `Host: ${host}`,
    // The STS form has the token in its body.
    ...(ask.form === 'sts' ? [] : [`Authorization: Bearer ${caller.token}`]),
    ...(userAgent === undefined ? [] : [`User-Agent: ${userAgent}`]),
    ...(type === undefined ? [] : [`Content-Type: ${type}`]),
    ...(ask.form === 'container' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
  ];
  return `${headers.join('\r\n')}\r\n\r\n${body}`;
}
