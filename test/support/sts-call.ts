/** Requests of the STS query protocol to a broker, and its answers, taken apart. */

import type { BrokerFixture } from './broker-fixture.ts';
import type { Answer, Call } from './http-call.ts';
import { type ClientName, roleNamed } from './outside-world.ts';
import { parseXml, type XmlContent } from './xml.ts';

export const formType = 'application/x-www-form-urlencoded';

export interface StsAnswer extends Answer {
  /** Name of the root element. */
  readonly root: string;
  /** What the root element holds. */
  // biome-ignore lint/suspicious/noExplicitAny: a test says itself what it expects in there
  readonly xml: any;
  /** `403 AccessDenied`, or the status alone of a success. */
  readonly said: string;
}

export type Parameters = Readonly<Record<string, string | undefined>>;

/** As SDKs print them. */
export function formOf(parameters: Parameters): string {
  return Object.entries(parameters)
    .flatMap(([name, value]) =>
      value === undefined ? [] : `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
    )
    .join('&');
}

export async function callSts(
  broker: BrokerFixture,
  body: unknown,
  call: Partial<Call> = {},
): Promise<StsAnswer> {
  const headers = { 'content-type': formType, ...call.headers };
  const answer = await broker.call({ method: 'POST', path: '/sts', ...call, headers, body });
  return { ...answer, ...readAnswer(answer) };
}

export function readAnswer({ status, text }: Pick<Answer, 'status' | 'text'>) {
  const { name: root, content } = parseXml(text);
  const { Error: error } = content as { readonly Error?: Readonly<Record<string, XmlContent>> };
  return { root, xml: content, said: [status, error?.['Code']].join(' ').trim() };
}

/** A request that is in order, of a service that may have that role. */
export function webIdentity(token: string, parameters: Parameters = {}): Parameters {
  return {
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: roleNamed('orders-writer'),
    RoleSessionName: 'botocore-session-1795353980',
    WebIdentityToken: token,
    ...parameters,
  };
}

export function assume(
  broker: BrokerFixture,
  client: ClientName,
  parameters: Parameters = {},
  call: Partial<Call> = {},
): Promise<StsAnswer> {
  return callSts(broker, formOf(webIdentity(broker.token(client), parameters)), call);
}
