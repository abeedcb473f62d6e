/** openapi.yaml against itself and against the code it speaks of. */

import { STATUS_CODES } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { callerDescription } from '../../src/core/described-caller.ts';
import { type BrokerErrorCode, errorCodes } from '../../src/core/errors.ts';
import { freezeBody } from '../../src/core/policy/freeze.ts';
import { roleMappingSchema } from '../../src/core/policy/role-mapping.ts';
import { explainBody } from '../../src/http/admin/explain-decision.ts';
import { issueCredentialsBody } from '../../src/http/forms/rest/rest-form.ts';
import { wireForms } from '../../src/http/forms/wire-forms.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import {
  contract,
  documentedResponse,
  listenerOfTag,
  type MediaType,
  operations,
  type Parameter,
  type ResponseObject,
  resolve,
  type Schema,
  schemaFaults,
} from '../support/contract.ts';

const { schemas, responses } = contract.components;
/** As the contract writes them. */
const formPaths = new Set(
  wireForms.flatMap(({ paths }) => paths.map((path) => path.replace(/:(\w+)/g, '{$1}'))),
);
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
    const tags = contract.tags.map(({ name }) => name);
    expect(tags).toEqual(Object.keys(listenerOfTag));
    for (const { operation } of operations) {
      expect(operation.tags).toHaveLength(1);
      expect(tags).toContain(operation.tags[0]);
    }
  });

  it('leave the server to the client: a generated one forgets the address it was given where a path has its own', () => {
    const listeners = Object.values(listenerOfTag).map((name) => `The ${name} listener`);
    expect(contract.servers.map(({ description }) => description)).toEqual(
      listeners.map((listener) => `${listener}.`),
    );
    expect(contract.tags.map(({ description }) => description.split(':')[0])).toEqual(listeners);
    for (const { path, operation } of operations) {
      expect([path, contract.paths[path]?.['servers'], operation]).toEqual([
        path,
        undefined,
        expect.not.objectContaining({ servers: expect.anything() }),
      ]);
    }
  });

  it('take a token in the header, but for those of the ops listener and the form of STS', () => {
    for (const { path, operation } of operations) {
      const open = operation.security?.length === 0;
      expect([path, open]).toEqual([path, operation.tags[0] === 'ops' || path === '/sts']);
      expect([path, '401' in operation.responses]).toEqual([path, !open]);
    }
  });

  describe('of the running service', () => {
    let broker: BrokerFixture;
    beforeAll(async () => {
      broker = await startBrokerFixture();
    });
    afterAll(() => broker.stop());

    it.each([
      ['Change-Reason', 500, 'x'.repeat(500), 'x'.repeat(501)],
      ['since', 15, '9'.repeat(15), `1${'0'.repeat(15)}`],
    ])('bounds %s at %i as the service does', async (name, _length, longest, tooLong) => {
      const parameter = operations
        .flatMap(({ parameters }) => parameters)
        .find((one) => one.name === name);
      const typed = (value: string) => (name === 'since' ? Number(value) : value);
      const faults = (value: string) => schemaFaults(parameter?.schema ?? {}, typed(value));
      expect(faults(longest)).toEqual([]);
      expect(faults(tooLong)).not.toEqual([]);
      const asked = async (value: string) => {
        const admin = { listener: 'admin', token: broker.token('admin') } as const;
        const call =
          name === 'since'
            ? { path: `/v1/changes?since=${value}` }
            : {
                method: 'DELETE',
                path: '/v1/role-mappings/nothing-here',
                headers: { 'change-reason': value, 'if-match': '"1"' },
              };
        return (await broker.call({ ...admin, ...call })).body?.code;
      };
      expect(['query_invalid', 'change_reason_required']).not.toContain(await asked(longest));
      expect(['query_invalid', 'change_reason_required']).toContain(await asked(tooLong));
    });

    const roleParameters = operations.flatMap(({ path, parameters, operation }) =>
      parameters
        .filter(({ name }) => name === 'role')
        // A filter takes any text: it finds nothing.
        .filter(() => !['listRoleMappings', 'listDecisions'].includes(operation.operationId))
        .map(({ schema, in: place }) => ({ path, place, schema, tag: operation.tags[0] ?? '' })),
    );
    const roles = [
      'orders-writer',
      'o',
      '0',
      'a'.repeat(63),
      'a'.repeat(64),
      'Orders',
      '-orders',
      'orders_writer',
      '*',
      'eyJhbGciOiJSUzI1NiJ9.e30.c2ln',
      'arn:aws:iam::123456789012:role/orders-writer',
      'arn:aws-cn:iam::123456789012:role/a/b/orders.writer@x',
      'arn:aws:iam::123456789012:role/orders/',
      'arn:aws:iam::12345678901:role/orders',
      'arn:aws:iam::123456789012:user/orders',
      `arn:aws:iam::123456789012:role/${'p'.repeat(2_048)}/orders`,
    ];

    const isTaken = async ({ path, place, tag }: (typeof roleParameters)[number], role: string) => {
      const listener = listenerOfTag[tag] ?? 'api';
      const token = broker.token(listener === 'admin' ? 'admin' : 'orders');
      const target = place === 'path' ? path.replace('{role}', role) : `${path}?role=${role}`;
      const { text } = await broker.call({ listener, token, path: target });
      return !/error:(?:query_invalid|route_not_found)"/.test(text);
    };

    it.each(roleParameters)(
      'take for a role at $path what the service takes',
      async (parameter) => {
        const { place, schema } = parameter;
        // Segments of a path have no slash in them.
        const asked = roles.filter((role) => place === 'query' || !role.includes('/'));
        const answered = await Promise.all(asked.map((role) => isTaken(parameter, role)));
        const documented = asked.map((role) => schemaFaults(schema, role).length === 0);
        expect(documented).toContain(true);
        expect(answered).toEqual(documented);
      },
    );

    it.each(Object.keys(contract.paths))('are the methods that %s answers', async (path) => {
      const documented = operations.filter((operation) => operation.path === path);
      const [tag = ''] = documented.flatMap(({ operation }) => operation.tags);
      const { status, headers } = await broker.call({
        listener: listenerOfTag[tag] ?? 'api',
        method: 'PATCH',
        path: path.replace(/\{\w+\}/g, '1'),
      });
      expect(status).toBe(405);
      const methods = documented.map(({ method }) => method);
      const answersHead = methods.includes('GET') && !formPaths.has(path);
      const answered = answersHead ? [...methods, 'HEAD'] : methods;
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

  it('leave room for more members in answers and role mappings, and none in other requests', () => {
    const read = reachable(operations.map(({ operation }) => operation.requestBody));
    // A client that edits a role mapping must not lose the conditions that it does not know.
    const edited = reachable(
      operations.find(({ operation }) => operation.operationId === 'putRoleMapping')?.operation
        .requestBody,
    );
    expect([...edited]).toEqual(expect.arrayContaining(['RoleMappingInput', 'Conditions']));
    for (const [name, schema] of Object.entries(schemas)) {
      if (schema['properties'] === undefined) continue;
      const open = edited.has(name) || !read.has(name);
      expect([name, schema['additionalProperties']]).toEqual([name, open]);
    }
    const silent = all
      .filter(([, schema]) => schema['type'] === 'object')
      .filter(([, schema]) => schema['additionalProperties'] === undefined)
      .map(([at]) => at);
    expect(silent).toEqual([]);
  });

  it('are not alternatives, which generated clients cannot always tell apart', () => {
    const keywords = all.flatMap(([at, schema]) =>
      ['oneOf', 'anyOf', 'allOf', 'not'].filter((it) => it in schema).map((it) => `${at} ${it}`),
    );
    expect(keywords).toEqual([]);
  });

  it('name every object that is a member of another', () => {
    const anonymous = all
      .filter(([at, schema]) => at.includes('/') && schema['properties'] !== undefined)
      .map(([at]) => at);
    expect(anonymous).toEqual([]);
  });

  it('have no names that are one in languages with their own case', () => {
    for (const [at, { properties = {} }] of all) {
      const names = Object.keys(properties as object).map((name) =>
        name.replaceAll('_', '').toLowerCase(),
      );
      expect([at, new Set(names).size]).toEqual([at, names.length]);
    }
  });

  it('have patterns that mean the same to those who search and to those who match from the start', () => {
    const loose = all
      .filter(([, { pattern }]) => pattern !== undefined && !String(pattern).startsWith('^'))
      .map(([at]) => at);
    expect(loose).toEqual([]);
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
    const documented = shapeOf(schemas[name] as Schema);
    expect(membersOf(shapeOf(read))).toEqual(matching(membersOf(documented)));
  });

  it('RoleMapping is what the service makes of a RoleMappingInput', () => {
    const made = z.toJSONSchema(roleMappingSchema, { unrepresentable: 'any' }) as Schema;
    expect(membersOf(shapeOf(schemas['RoleMapping'] as Schema))).toEqual(membersOf(shapeOf(made)));
  });
});

/** Names of the schemas that these documents refer to, at any depth. */
function reachable(documents: unknown, found = new Set<string>()): ReadonlySet<string> {
  for (const [, name = ''] of JSON.stringify(documents).matchAll(
    /#\/components\/schemas\/(\w+)/g,
  )) {
    if (found.has(name)) continue;
    found.add(name);
    reachable(schemas[name], found);
  }
  return found;
}

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
  if (schema['properties'] !== undefined) return objectShape(schema);
  if (schema['type'] !== 'object') return typeOf(schema);
  const further = schema['additionalProperties'] as Schema | boolean;
  const free = further === true || Object.keys(further).length === 0;
  return { '*': free ? 'anything' : shapeOf(further as Schema) };
}

function objectShape(schema: Schema): Shape {
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

/** Alternatives that are told apart by their pattern only are one, and so are those of objects. */
function merged(shapes: readonly Shape[]): Shape {
  const distinct = new Map(shapes.map((shape) => [JSON.stringify(shape), shape]));
  if (distinct.size === 1) return shapes[0] as Shape;
  // Generators know no choice of simple types: the contract leaves the type open.
  if (shapes.every((shape) => typeof shape === 'string')) return 'undefined';
  return shapes.every(isMembers) ? oneObjectOf(shapes) : [...distinct.values()];
}

const isMembers = (shape: Shape): shape is Readonly<Record<string, Shape>> =>
  typeof shape === 'object' && !Array.isArray(shape);

/** Required is what each of them requires. */
function oneObjectOf(shapes: readonly Readonly<Record<string, Shape>>[]): Shape {
  const always = (name: string) => shapes.every((shape) => name in shape);
  return Object.fromEntries(
    shapes
      .flatMap((shape) => Object.entries(shape))
      .map(([name, shape]) => [always(name) ? name : name.replace('!', ''), shape]),
  );
}

/** Without what is said of further ones. */
function membersOf(shape: Shape): Shape {
  return JSON.parse(
    JSON.stringify(shape, (name, it) => (name === 'additionalProperties' ? undefined : it)),
  ) as Shape;
}

/** The contract may say less than the service checks, where generators know no better. */
function matching(shape: Shape): unknown {
  if (shape === 'anything') return expect.anything();
  if (typeof shape === 'string') return shape;
  if (Array.isArray(shape)) return shape.map(matching);
  return Object.fromEntries(Object.entries(shape).map(([name, it]) => [name, matching(it)]));
}
