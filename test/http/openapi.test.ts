/** openapi.yaml against itself and against the code it speaks of. */

import { STATUS_CODES } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { callerDescription } from '../../src/core/described-caller.ts';
import { type BrokerErrorCode, errorCodes } from '../../src/core/errors.ts';
import { freezeBody } from '../../src/core/freeze.ts';
import { roleMappingSchema } from '../../src/core/role-mapping.ts';
import { explainBody } from '../../src/http/routes/explain-decision.ts';
import { issueCredentialsBody } from '../../src/http/routes/issue-credentials.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import {
  contract,
  documentedResponse,
  type ListenerName,
  type MediaType,
  operations,
  type Parameter,
  type ResponseObject,
  resolve,
  type Schema,
  schemaFaults,
} from '../support/contract.ts';

const { schemas, responses } = contract.components;
const codes = Object.keys(errorCodes) as BrokerErrorCode[];

describe('the codes of problem documents', () => {
  it('are those of the service, no more and no less', () => {
    expect(schemas).toMatchObject({ ErrorCode: { enum: codes } });
  });

  it('are listed, each under its status', () => {
    for (const [name, response] of Object.entries(responses)) {
      const status = statusNamed(name);
      const listed = [...(response?.description.matchAll(/`([a-z_]+)`/g) ?? [])].map((it) => it[1]);
      expect([name, listed]).toEqual([
        name,
        codes.filter((code) => errorCodes[code].status === status),
      ]);
    }
    const statuses = Object.keys(responses).map(statusNamed);
    expect(new Set(statuses)).toEqual(new Set(codes.map((code) => errorCodes[code].status)));
  });
});

function statusNamed(name: string): number {
  const found = Object.entries(STATUS_CODES).find(
    ([, phrase]) => phrase?.replaceAll(' ', '') === name,
  );
  return Number(found?.[0]);
}

describe('examples', () => {
  const media = [
    ...operations.flatMap(({ path, method, operation }) => [
      ...mediaOf(`${method} ${path} request`, operation.requestBody?.content),
      ...Object.keys(operation.responses).flatMap((status) =>
        mediaOf(
          `${method} ${path} ${status}`,
          documentedResponse(operation, Number(status))?.content,
        ),
      ),
    ]),
    ...Object.entries(responses).flatMap(([name, response]) => mediaOf(name, response?.content)),
  ];

  it.each(media)(
    'of %s are there and keep their schema',
    (_what, { schema, example, examples }) => {
      const values = [
        ...(example === undefined ? [] : [example]),
        ...Object.values(examples ?? {}).map(({ value }) => value),
      ];
      expect(values).not.toEqual([]);
      expect(values.flatMap((value) => schemaFaults(schema, value))).toEqual([]);
    },
  );

  it('of parameters and headers keep their schemas', () => {
    const described = [
      ...operations.flatMap(({ parameters }) => parameters),
      ...[...Object.values(responses), ...documentedSuccesses()].flatMap(headersOf),
    ];
    expect(described.length).toBeGreaterThan(50);
    for (const { schema, example } of described) {
      expect(example).not.toBe(undefined);
      expect(schemaFaults(schema, example)).toEqual([]);
    }
  });

  it('of problems say what the service says', () => {
    const problems = Object.values(responses)
      .flatMap((response) =>
        Object.values(response?.content?.['application/problem+json']?.examples ?? {}),
      )
      .map(({ value }) => value as Record<string, unknown>);
    for (const { type, title, status, code } of problems) {
      const known = errorCodes[code as BrokerErrorCode];
      expect({ type, title, status }).toEqual({
        type: `urn:token-broker:error:${code}`,
        title: known.title,
        status: known.status,
      });
    }
  });
});

function mediaOf(what: string, content: ResponseObject['content']): [string, MediaType][] {
  return Object.entries(content ?? {}).map(([type, media]) => [`${what} ${type}`, media]);
}

function documentedSuccesses(): ResponseObject[] {
  return operations.flatMap(({ operation }) =>
    Object.values(operation.responses).map((response) => resolve<ResponseObject>(response)),
  );
}

function headersOf(response: ResponseObject | undefined): Pick<Parameter, 'schema' | 'example'>[] {
  return Object.values(response?.headers ?? {}).map((header) =>
    resolve<Pick<Parameter, 'schema' | 'example'>>(header),
  );
}

describe('operations', () => {
  it('have names of their own that generators can take, and belong to one listener', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z][A-Za-z]+$/);
    const listeners = contract.tags.map(({ name }) => name);
    expect(listeners).toEqual(['api', 'admin', 'ops']);
    for (const { operation } of operations) {
      expect(operation.tags).toHaveLength(1);
      expect(listeners).toContain(operation.tags[0]);
    }
  });

  it('name the server of their listener', () => {
    for (const { path, operation } of operations) {
      const [server] = (contract.paths[path]?.['servers'] ?? contract.servers) as {
        description: string;
      }[];
      expect([path, server?.description]).toEqual([path, `The ${operation.tags[0]} listener.`]);
    }
  });

  it('take a token, but for those of the ops listener', () => {
    for (const { path, operation } of operations) {
      const open = operation.security?.length === 0;
      expect([path, open]).toEqual([path, operation.tags[0] === 'ops']);
      expect([path, '401' in operation.responses]).toEqual([path, !open]);
    }
  });

  describe('of the running service', () => {
    let broker: BrokerFixture;
    beforeAll(async () => {
      broker = await startBrokerFixture();
    });
    afterAll(() => broker.stop());

    it.each(Object.keys(contract.paths))('are the methods that %s answers', async (path) => {
      const documented = operations.filter((operation) => operation.path === path);
      const [listener] = documented.flatMap(({ operation }) => operation.tags) as ListenerName[];
      const { status, headers } = await broker.call({
        listener: listener ?? 'api',
        method: 'PATCH',
        path: path.replace(/\{\w+\}/g, '1'),
      });
      expect(status).toBe(405);
      const methods = documented.map(({ method }) => method);
      const answered = methods.includes('GET') ? [...methods, 'HEAD'] : methods;
      expect(new Set(headers['allow']?.split(', '))).toEqual(new Set(answered));
    });
  });

  it('say what comes when the request is not acceptable HTTP or the service fails', () => {
    for (const { operation } of operations) {
      for (const status of [400, 403, 408, 414, 431, 500]) {
        expect(operation.responses).toHaveProperty(String(status));
      }
    }
  });

  it('refer to schemas by name', () => {
    for (const { operation } of operations) {
      const content = [
        operation.requestBody?.content,
        ...Object.values(operation.responses).map((it) => resolve<ResponseObject>(it).content),
      ];
      for (const media of content.flatMap((it) => Object.values(it ?? {}))) {
        expect(Object.keys(media.schema)).toEqual(['$ref']);
      }
    }
  });
});

describe('schemas', () => {
  const all = Object.entries(schemas).flatMap(([name, schema]) => [...nested(schema, name)]);

  it('say of every object whether it may have further members', () => {
    const silent = all
      .filter(([, schema]) => schema['type'] === 'object')
      .filter(([, schema]) => schema['additionalProperties'] === undefined)
      .map(([at]) => at);
    expect(silent).toEqual([]);
  });

  it('name every object that is a member of another', () => {
    const anonymous = all
      .filter(([at, schema]) => at.includes('/') && schema['properties'] !== undefined)
      .map(([at]) => at);
    expect(anonymous).toEqual([]);
  });

  it('have no bounds that generators of 3.0 read differently', () => {
    const exclusive = all.filter(
      ([, schema]) => 'exclusiveMinimum' in schema || 'exclusiveMaximum' in schema,
    );
    expect(exclusive).toEqual([]);
    const unsized = all.filter(
      ([, { type, format }]) => type === 'integer' && format === undefined,
    );
    expect(unsized.map(([at]) => at)).toEqual([]);
  });

  it.each<[string, z.ZodType]>([
    ['CredentialsRequest', issueCredentialsBody],
    ['RoleMappingInput', roleMappingSchema],
    ['FreezeRequest', freezeBody],
    ['ExplainRequest', explainBody],
    ['DescribedCaller', callerDescription],
  ])('%s lets in the members that the service reads', (name, schema) => {
    const read = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema;
    expect(shapeOf(schemas[name] as Schema)).toEqual(shapeOf(read));
  });

  it('RoleMapping is what the service makes of a RoleMappingInput', () => {
    const made = z.toJSONSchema(roleMappingSchema, { unrepresentable: 'any' }) as Schema;
    expect(shapeOf(schemas['RoleMapping'] as Schema)).toEqual(shapeOf(made));
  });
});

function* nested(schema: Schema, at: string): Generator<readonly [at: string, schema: Schema]> {
  yield [at, schema];
  for (const [name, member] of Object.entries(
    (schema['properties'] ?? {}) as Record<string, Schema>,
  )) {
    yield* nested(member, `${at}/${name}`);
  }
  for (const keyword of ['items', 'additionalProperties']) {
    const inner = schema[keyword];
    if (typeof inner === 'object') yield* nested(inner as Schema, `${at}/${keyword}`);
  }
}

type Shape = string | readonly Shape[] | { readonly [member: string]: Shape };

/** Names of members, `!` behind those that are required, and the types of the leaves. */
function shapeOf(described: Schema): Shape {
  const schema = resolve<Schema>(described);
  const alternatives = (schema['oneOf'] ?? schema['anyOf']) as Schema[] | undefined;
  if (alternatives !== undefined) return merged(alternatives.map(shapeOf));
  if (schema['type'] === 'array') return [shapeOf(schema['items'] as Schema)];
  if (schema['properties'] !== undefined) return membersOf(schema);
  if (schema['type'] !== 'object') return typeOf(schema);
  const further = schema['additionalProperties'] as Schema | boolean;
  const free = further === true || Object.keys(further).length === 0;
  return { '*': free ? 'anything' : shapeOf(further as Schema) };
}

function membersOf(schema: Schema): Shape {
  const required = (schema['required'] ?? []) as readonly string[];
  const members = Object.entries(schema['properties'] as Record<string, Schema>);
  return Object.fromEntries([
    ['additionalProperties', String(schema['additionalProperties'])],
    ...members.map(([name, member]) => [
      required.includes(name) ? `${name}!` : name,
      shapeOf(member),
    ]),
  ]);
}

function typeOf(schema: Schema): string {
  const constant = schema['const'];
  const values = (constant === undefined ? schema['enum'] : [constant]) as unknown[] | undefined;
  return values === undefined || (schema['type'] === 'string' && values[0] === '*')
    ? String(schema['type'])
    : `${schema['type']} ${JSON.stringify(values)}`;
}

/** Alternatives that are told apart by their pattern only are one. */
function merged(shapes: readonly Shape[]): Shape {
  const distinct = new Map(shapes.map((shape) => [JSON.stringify(shape), shape]));
  return distinct.size === 1 ? (shapes[0] as Shape) : [...distinct.values()];
}
