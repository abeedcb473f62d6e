/** Holds what goes over the wire against openapi.yaml: everything that is not written there is a fault. */

import { readFileSync } from 'node:fs';
import { STATUS_CODES } from 'node:http';
import { Ajv, type ValidateFunction } from 'ajv';
import { parse } from 'yaml';
import { type BrokerErrorCode, errorCodes } from '../../src/core/errors.ts';
import { stsError } from '../../src/http/forms/sts/sts-error.ts';
import { parseXml } from './xml.ts';

/** Lower-case names. */
export type Headers = Readonly<Record<string, string | undefined>>;

export type ListenerName = 'api' | 'admin' | 'ops';

/** Generators make a class of each tag, and a tag is a listener. */
export const listenerOfTag: Readonly<Record<string, ListenerName>> = {
  credentials: 'api',
  admin: 'admin',
  ops: 'ops',
};

export interface Exchanged {
  readonly listener: ListenerName;
  readonly method: string;
  /** With the query. */
  readonly target: string;
  readonly requestHeaders: Headers;
  /** The text, if it is a form; undefined: none, or not JSON. */
  readonly requestBody: unknown;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** What is wrong with an exchange; empty if nothing is. */
export function contractFaults(exchanged: Exchanged): readonly string[] {
  const { method, status, headers } = exchanged;
  // A path that answers GET need not answer HEAD.
  const found = method === 'HEAD' && status === 405 ? undefined : operationOf(exchanged);
  const response =
    found === undefined
      ? (refusalOfMethod(exchanged) ?? sharedResponse(status))
      : documentedResponse(found.operation, status);
  if (response === undefined) return [`status ${status} is not documented`];
  const faults = [...headerFaults(response, headers), ...securityHeaderFaults(headers)];
  // The answer to HEAD is that to GET without its body.
  if (method !== 'HEAD') faults.push(...bodyFaults(response, exchanged));
  if (found !== undefined && status < 300) faults.push(...requestFaults(found, exchanged));
  if (found !== undefined) faults.push(...codeFaults(found.operation, exchanged));
  return faults;
}

export interface Schema {
  readonly [keyword: string]: unknown;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly schema: Schema;
  readonly example?: unknown;
}

export interface MediaType {
  readonly schema: Schema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

export interface ResponseObject {
  readonly description: string;
  readonly headers?: Readonly<
    Record<string, Reference | { readonly required?: boolean; readonly schema: Schema }>
  >;
  readonly content?: Readonly<Record<string, MediaType>>;
}

interface Reference {
  readonly $ref: string;
}

export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly security?: readonly object[];
  readonly parameters?: readonly (Reference | Parameter)[];
  readonly requestBody?: {
    readonly required?: boolean;
    readonly content: Readonly<Record<string, MediaType>>;
  };
  readonly responses: Readonly<Record<string, Reference | ResponseObject>>;
  /** All that it can give. */
  readonly 'x-error-codes': readonly BrokerErrorCode[];
}

export interface OpenApi {
  readonly servers: readonly { readonly description: string }[];
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    /** Named by their reason phrase, without blanks. */
    readonly responses: Readonly<Record<string, ResponseObject | undefined>>;
  };
}

export const contract = parse(
  readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8'),
) as OpenApi;

export const httpMethods = ['get', 'put', 'post', 'delete', 'head', 'options', 'patch'] as const;

export interface DocumentedOperation {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
  /** Those of the path come first. */
  readonly parameters: readonly Parameter[];
}

export const operations: readonly DocumentedOperation[] = Object.entries(contract.paths).flatMap(
  ([path, item]) =>
    httpMethods
      .filter((method) => item[method] !== undefined)
      .map((method) => {
        const operation = item[method] as Operation;
        const listed = [
          ...((item['parameters'] as Operation['parameters']) ?? []),
          ...(operation.parameters ?? []),
        ];
        const parameters = listed.map((parameter) => resolve<Parameter>(parameter));
        return { path, method: method.toUpperCase(), operation, parameters };
      }),
);

/** The object itself, or what its `$ref` points to. */
export function resolve<Resolved>(object: Reference | Resolved): Resolved {
  if (typeof object !== 'object' || object === null || !('$ref' in object)) return object;
  const value = object.$ref
    .replace(/^#\//, '')
    .split('/')
    .reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], contract);
  return resolve(value as Resolved);
}

export function documentedResponse(
  operation: Operation,
  status: number,
): ResponseObject | undefined {
  const response = operation.responses[String(status)];
  return response === undefined ? undefined : resolve<ResponseObject>(response);
}

/** Reasons that STS has codes of its own for. */
const reasonsOfSts = [
  undefined,
  'policy_malformed',
  'policy_too_large',
  'signature_absent',
  'signature_incomplete',
  'session_ended',
] as const;

/** With which status and code the operation prints what it lists. */
function printedErrors({ operationId, 'x-error-codes': listed }: Operation) {
  if (operationId !== 'querySts') {
    return listed.map((code) => ({
      status: errorCodes[code].status as number,
      code: code as string,
    }));
  }
  return listed.flatMap((code) => {
    const { status } = errorCodes[code];
    return reasonsOfSts.map((reason) => stsError({ code, status, reason }));
  });
}

export function statusesOf(operation: Operation): readonly number[] {
  return [...new Set(printedErrors(operation).map(({ status }) => status))];
}

const typePrefix = 'urn:token-broker:error:';

function codeFaults(operation: Operation, { status, text }: Exchanged): readonly string[] {
  const pattern = operation.operationId === 'querySts' ? /<Code>(\w+)</ : /"type":"([^"]+)"/;
  const code = pattern.exec(text)?.[1]?.replace(typePrefix, '');
  if (status < 400 || code === undefined) return [];
  const listed = printedErrors(operation).some((one) => one.status === status && one.code === code);
  return listed ? [] : [`${operation.operationId} does not list the error code ${code}`];
}

const dateTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{3})?Z$/;

const ajv = new Ajv({ allErrors: true, strict: true, strictTypes: false, strictRequired: false });
for (const annotation of ['example', 'openapi', 'info', 'components', 'xml']) {
  ajv.addKeyword(annotation);
}
ajv.addFormat('date-time', dateTime);
ajv.addFormat('uuid', /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
ajv.addFormat('int32', { type: 'number', validate: Number.isInteger });
ajv.addFormat('int64', { type: 'number', validate: Number.isSafeInteger });
ajv.addSchema(
  { $id: 'contract', components: withoutFurtherMembers(contract.components) },
  'contract',
  false,
  false,
);
const compiled = new WeakMap<Schema, ValidateFunction>();

/** What is wrong with a value by a schema of the contract. */
export function schemaFaults(schema: Schema, value: unknown): readonly string[] {
  let validate = compiled.get(schema);
  if (validate === undefined) {
    validate = ajv.compile(absolute(withoutFurtherMembers(schema)));
    compiled.set(schema, validate);
  }
  validate(value);
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) =>
      `${instancePath || '/'} ${message} ${JSON.stringify(params)}`,
  );
}

/** Clients must bear members of tomorrow in answers; what the service says today must be written down today. */
function withoutFurtherMembers<Part>(part: Part): Part {
  return JSON.parse(JSON.stringify(part), (_name, value: Schema | null) =>
    value?.['properties'] === undefined || value['additionalProperties'] !== true
      ? value
      : { ...withTwins(value), additionalProperties: false },
  ) as Part;
}

/** Names that differ from a listed one in case only must be there, but generators could not list them. */
function withTwins({ 'x-lower-case-twins': listed = [], ...schema }: Schema): Schema {
  const properties = schema['properties'] as Readonly<Record<string, Schema>>;
  const names = listed as readonly string[];
  const twins = names.map((name) => [name.toLowerCase(), properties[name]]);
  return {
    ...schema,
    properties: { ...properties, ...Object.fromEntries(twins) },
    required: [
      ...((schema['required'] as readonly string[]) ?? []),
      ...twins.map(([name]) => name),
    ],
  };
}

/** References in the document are relative to its root. */
function absolute(schema: Schema): Schema {
  return JSON.parse(
    JSON.stringify(schema, (name, value: unknown) =>
      name === '$ref' ? String(value).replace(/^#/, 'contract#') : value,
    ),
  ) as Schema;
}

function operationOf(exchanged: Exchanged): DocumentedOperation | undefined {
  const documented = exchanged.method === 'HEAD' ? 'GET' : exchanged.method;
  return operationsAt(exchanged).find(({ method }) => method === documented);
}

function operationsAt({ listener, target }: Exchanged): readonly DocumentedOperation[] {
  const [path = ''] = target.split('?', 1);
  return operations.filter(
    (candidate) =>
      candidate.operation.tags.some((tag) => listenerOfTag[tag] === listener) &&
      // The contract says in words that this path may end with a slash, or be one.
      pathPattern(candidate.path).test(['/sts/', '/'].includes(path) ? '/sts' : path),
  );
}

/** Of a path whose errors have a shape of their own. */
function refusalOfMethod(exchanged: Exchanged): ResponseObject | undefined {
  if (exchanged.status !== 405) return undefined;
  const [refused] = operationsAt(exchanged).filter(({ operation }) => operation.responses['405']);
  return refused && documentedResponse(refused.operation, 405);
}

function pathPattern(template: string): RegExp {
  const literal = template.replace(/[.*+?^$()|[\]\\]/g, '\\$&');
  return new RegExp(`^${literal.replace(/\{\w+\}/g, '[^/]+')}$`);
}

/** Where there is no operation, the answer is one of the shared errors. */
export function sharedResponse(status: number): ResponseObject | undefined {
  const name = STATUS_CODES[status]?.replaceAll(' ', '') ?? '';
  return status < 400 ? undefined : contract.components.responses[name];
}

/** Of HTTP itself. */
const transportHeaders = ['connection', 'content-length', 'content-type', 'date', 'keep-alive'];

/** On every answer, as the description of the contract says; over TLS there is one more. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  pragma: 'no-cache',
  'content-security-policy': "default-src 'none';frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

function securityHeaderFaults(headers: Headers): string[] {
  return Object.entries(securityHeaders)
    .filter(([name, value]) => headers[name] !== value)
    .map(([name, value]) => `header ${name} must be ${value}, is ${headers[name]}`);
}

function headerFaults(response: ResponseObject, headers: Headers): string[] {
  const documented = new Map(
    Object.entries(response.headers ?? {}).map(([name, header]) => [
      name.toLowerCase(),
      resolve<{ readonly required?: boolean; readonly schema: Schema }>(header),
    ]),
  );
  const faults = Object.keys(headers)
    .filter((name) => !documented.has(name))
    .filter((name) => !transportHeaders.includes(name) && !(name in securityHeaders))
    .map((name) => `header ${name} is not documented`);
  for (const [name, { required = false, schema }] of documented) {
    const value = headers[name];
    if (value === undefined && required) faults.push(`header ${name} is missing`);
    if (value !== undefined) {
      faults.push(...schemaFaults(schema, asTyped(schema, value)).map((it) => `${name}: ${it}`));
    }
  }
  return faults;
}

function bodyFaults({ content }: ResponseObject, { headers, text }: Exchanged): readonly string[] {
  const type = headers['content-type']?.replace(/;.*$/, '') ?? '';
  if (content === undefined) return text === '' ? [] : ['there must be no body'];
  const media = content[type];
  if (media === undefined) return [`content type ${type} is not documented`];
  if (type === 'text/xml') return xmlFaults(media.schema, text);
  return schemaFaults(media.schema, type.endsWith('json') ? JSON.parse(text) : text);
}

/** Schemas describe what the root element holds, and say how it is called. */
function xmlFaults(schema: Schema, text: string): readonly string[] {
  const { name, namespace, content } = parseXml(text);
  const xml = resolve<Schema>(schema)['xml'] as Schema | undefined;
  const root = { name: xml?.['name'] ?? name, namespace: xml?.['namespace'] };
  return [
    ...(root.name === name ? [] : [`the root element must not be ${name}`]),
    ...(root.namespace === namespace ? [] : [`the namespace must not be ${namespace}`]),
    ...schemaFaults(schema, content),
  ];
}

/** What was accepted must be what the contract lets clients send. */
function requestFaults(documented: DocumentedOperation, exchanged: Exchanged): readonly string[] {
  return [
    ...parameterFaults(documented, exchanged),
    ...requestBodyFaults(documented.operation, exchanged),
  ];
}

function parameterFaults(
  { parameters }: DocumentedOperation,
  { target, requestHeaders }: Exchanged,
): readonly string[] {
  const query = new URLSearchParams(target.split('?')[1]?.replaceAll('+', '%2B'));
  const known = new Set(parameters.filter((one) => one.in === 'query').map(({ name }) => name));
  const unknown = [...query.keys()].filter((name) => !known.has(name));
  const sentValue = ({ name, in: place, schema }: Parameter) => {
    if (place !== 'query') return requestHeaders[name.toLowerCase()];
    if (!query.has(name)) return undefined;
    return schema['type'] === 'array' ? query.getAll(name) : (query.get(name) ?? undefined);
  };
  return [
    ...unknown.map((name) => `parameter ${name} is not documented`),
    ...parameters
      .filter((parameter) => parameter.in !== 'path')
      .flatMap((parameter) => parameterFault(parameter, sentValue(parameter))),
  ];
}

function parameterFault(
  { name, required, schema }: Parameter,
  value: string | readonly string[] | undefined,
) {
  if (value === undefined) return required === true ? [`parameter ${name} is required`] : [];
  const typed = typeof value === 'string' ? asTyped(schema, value) : value;
  return schemaFaults(schema, typed).map((fault) => `${name}: ${fault}`);
}

function requestBodyFaults(
  { requestBody: documented }: Operation,
  { requestBody: body, requestHeaders }: Pick<Exchanged, 'requestBody' | 'requestHeaders'>,
): readonly string[] {
  // Some generated clients print an absent body as null.
  if (body === undefined || body === null) {
    return documented?.required === true ? ['the body is required'] : [];
  }
  const form = documented?.content[formType];
  if (form !== undefined && isForm(requestHeaders)) {
    return schemaFaults(form.schema, formFields(form.schema, String(body)));
  }
  const media = documented?.content['application/json'];
  return media === undefined ? ['there must be no body'] : schemaFaults(media.schema, body);
}

const formType = 'application/x-www-form-urlencoded';

export function isForm(requestHeaders: Headers): boolean {
  return requestHeaders['content-type']?.toLowerCase().startsWith(formType) === true;
}

function formFields(schema: Schema, text: string): Readonly<Record<string, unknown>> {
  const properties = resolve<Schema>(schema)['properties'] as Readonly<Record<string, Schema>>;
  return Object.fromEntries(
    [...new URLSearchParams(text)].map(([name, value]) => [
      name,
      asTyped(properties[name] ?? {}, value),
    ]),
  );
}

/** Parameters and headers are text; their schemas speak of what the text means. */
function asTyped(schema: Schema, text: string): unknown {
  const { type } = resolve<Schema>(schema as unknown as Schema);
  if (type === 'integer' || type === 'number') return Number(text);
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  return text;
}
