/**
 * The contract at all doors: spellings of one request that mean the same get the same answer from every operation, and those
 * that two servers may read differently are refused by every one. Requests are made of openapi.yaml.
 */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import {
  contractFaults,
  type DocumentedOperation,
  listenerOfTag,
  operations,
  type Parameter,
  resolve,
  type Schema,
} from '../support/contract.ts';
import { runs } from '../support/fuzz-budget.ts';
import { type RawAnswer, sendRaw } from '../support/raw-http.ts';
import {
  type SoundCall,
  soundCalls,
  withHeaders,
  withQuery,
  withToken,
} from '../support/sound-calls.ts';
import { formOf, formType } from '../support/sts-call.ts';

const host = 'broker.example';
let broker: BrokerFixture;
let tokens: { readonly orders: string; readonly admin: string };
beforeAll(async () => {
  broker = await startBrokerFixture({
    configure: (config) => ({
      ...config,
      http: { ...config.http, allowedHosts: [host, '127.0.0.1'] },
    }),
  });
  tokens = { orders: broker.token('orders'), admin: broker.token('admin') };
});
afterAll(() => broker.stop());

const doors = operations.map(({ operation, ...rest }) => ({
  ...rest,
  operation,
  name: operation.operationId,
}));
const withBody = doors.filter(({ operation }) => operation.requestBody !== undefined);

/** Sound, and the same however often it is sent: edits are tried out only. */
function callOf({ operation, parameters }: DocumentedOperation): SoundCall {
  const call = soundCalls[operation.operationId] as SoundCall;
  const tried = parameters.some(({ name }) => name === 'dryRun')
    ? withQuery(call, 'dryRun=true')
    : call;
  if (call.listener === 'ops') return tried;
  return withToken(tried, call.listener === 'admin' ? tokens.admin : tokens.orders);
}

interface Said {
  /** Of the request. */
  readonly fields: Readonly<Record<string, string>>;
  readonly answer: RawAnswer;
  /** Status and code. */
  readonly words: string;
}

/** Byte by byte as it is written. */
async function ask(call: SoundCall, target: string): Promise<Said> {
  const { listener = 'api', method = 'GET', token, form, headers = {} } = call;
  const body = bodyOf(call);
  const fields: Record<string, string> = {
    host,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined
      ? {}
      : {
          'content-type': form === undefined ? 'application/json' : formType,
          'content-length': String(Buffer.byteLength(body)),
        }),
    ...headers,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  const bytes = `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body ?? ''}`;
  const { answers } = await sendRaw(String(broker.urls[listener]), bytes, { answers: 1, method });
  const [answer] = answers;
  if (answer === undefined) throw new Error(`${method} ${target} got no answer`);
  const [, type, code] = /"type":"[^"]*:(\w+)"|<Code>(\w+)</.exec(answer.text) ?? [];
  return { fields, answer, words: [answer.status, type ?? code].join(' ').trim() };
}

function bodyOf({ form, body }: SoundCall): string | undefined {
  return form === undefined ? JSON.stringify(body) : formOf(form);
}

/** The answer must keep the contract. */
async function said(call: SoundCall): Promise<string> {
  const { listener = 'api', method = 'GET', form, path: target } = call;
  const { fields: requestHeaders, answer, words } = await ask(call, target);
  const { status, headers, text } = answer;
  const requestBody = form === undefined ? call.body : bodyOf(call);
  const exchanged = { listener, method, target, requestHeaders, requestBody };
  expect(contractFaults({ ...exchanged, status, headers, text })).toEqual([]);
  return words;
}

const refusal = (name: string, status: number, code: string) =>
  `${status} ${name === 'querySts' ? 'ValidationError' : code}`;

describe('a media type', () => {
  const blanks = fc.constantFrom('', ' ', '\t', ' \t ');
  const randomCase = (text: string) =>
    fc
      .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
      .map((upper) => [...text].map((it, at) => (upper[at] ? it.toUpperCase() : it)).join(''));
  const charset = fc.constantFrom('utf-8', 'UTF-8', 'utf8', '"utf-8"', '"UTF8"');
  const parameters = fc.oneof(
    fc.constant(''),
    fc.tuple(randomCase('charset'), charset).map(([name, value]) => `${name}=${value}`),
    fc.constantFrom('v=1', 'boundary="a;b"', 'profile="https://example.com/\\"x\\""', "x-y='z'"),
  );
  const tail = fc
    .array(fc.tuple(blanks, blanks, parameters), { maxLength: 3 })
    .map((all) => all.map(([before, after, one]) => `${before};${after}${one}`).join(''));
  const coding = fc.constantFrom(undefined, 'identity', 'Identity');

  it.each(withBody)('of $name means the same in every spelling', async (door) => {
    const call = callOf(door);
    const plain = await said(call);
    const [type = ''] = Object.keys(door.operation.requestBody?.content ?? {});
    await fc.assert(
      fc.asyncProperty(randomCase(type), tail, blanks, coding, async (start, rest, end, one) => {
        const encoding = one === undefined ? {} : { 'content-encoding': one };
        const spelled = { 'content-type': `${start}${rest}${end}`, ...encoding };
        expect(await said(withHeaders(call, spelled))).toBe(plain);
      }),
      runs(100),
    );
  });

  it.each(withBody)('of $name that is another one, or coded, is refused', async (door) => {
    const call = callOf(door);
    const [type = ''] = Object.keys(door.operation.requestBody?.content ?? {});
    const others = [
      ...[
        'text/plain',
        'application/yaml',
        `${type}x`,
        `${type}/x`,
        `${type},${type}`,
        'multipart/form-data',
      ],
      ...[
        `${type}; charset=latin1`,
        `${type}; charset="utf-16"`,
        `${type} charset=utf-8`,
        ` ;${type}`,
        '',
      ],
      ...[`${type}; charset=utf-8; charset=latin1`, `${type}; =x`, `${type}; v`, `${type}; v="`],
    ];
    for (const other of others) {
      const answer = await said(withHeaders(call, { 'content-type': other }));
      expect([other, answer]).toEqual([other, refusal(door.name, 415, 'media_type_unsupported')]);
    }
    for (const one of ['gzip', 'br', 'identity, gzip', 'x']) {
      const answer = await said(withHeaders(call, { 'content-encoding': one }));
      expect([one, answer]).toEqual([one, refusal(door.name, 415, 'media_type_unsupported')]);
    }
  });

  it.each(doors.filter((door) => !withBody.includes(door)))(
    'where $name has no body says nothing',
    async (door) => {
      const call = callOf(door);
      const plain = await said(call);
      const typed = { 'content-type': 'text/plain; charset=latin1', 'content-length': '0' };
      expect(await said(withHeaders(call, typed))).toBe(plain);
    },
  );
});

const malformed = /^400 (?:request_malformed|ValidationError)$/;

describe('an address', () => {
  const sameHosts = [
    'BROKER.example',
    'Broker.Example:443',
    `${host}:`,
    `${host}:80`,
    `${host}:65535`,
  ];
  const otherHosts = [
    `${host}.`,
    `x.${host}`,
    `${host}.x`,
    'xn--brker-kva.example',
    '%62roker.example',
    '[::1]',
  ];
  const noHosts = [
    `${host}:x`,
    `${host}/x`,
    `x@${host}`,
    `${host}, ${host}`,
    'a b',
    '',
    '[::1',
    `${host}#`,
  ];

  it.each(doors)('of $name: case and port of the host do not matter', async (door) => {
    const call = callOf(door);
    const plain = await said(call);
    for (const one of sameHosts) {
      expect([one, await said(withHeaders(call, { host: one }))]).toEqual([one, plain]);
    }
  });

  it.each(doors)(
    'of $name: other names are for the api listener others, to the letter',
    async (door) => {
      const call = callOf(door);
      const isApi = door.operation.tags.some((tag) => listenerOfTag[tag] === 'api');
      const expected = isApi ? refusal(door.name, 421, 'host_unknown') : await said(call);
      for (const one of otherHosts) {
        expect([one, await said(withHeaders(call, { host: one }))]).toEqual([one, expected]);
      }
    },
  );

  it.each(doors)('of $name: what is no host is refused', async (door) => {
    const call = callOf(door);
    for (const one of noHosts) {
      const answer = await said(withHeaders(call, { host: one }));
      expect([one, answer]).toEqual([one, refusal(door.name, 400, 'request_malformed')]);
    }
  });

  it.each(doors)(
    'of $name: a path that two servers may read differently is refused',
    async (door) => {
      const call = callOf(door);
      const { path } = call;
      const [segments = '', query] = path.split('?');
      const asked = query === undefined ? '' : `?${query}`;
      const last = segments.lastIndexOf('/') + 1;
      const [start, end] = [segments.slice(0, last), segments.slice(last)];
      const encoded = `%${end.charCodeAt(0).toString(16)}${end.slice(1)}`;
      const spelled = [
        ...[
          `/${segments}`,
          `${start}/${end}`,
          `${segments}//`,
          `/.${segments}`,
          `/x/..${segments}`,
        ],
        ...[
          `${start}${encoded}`,
          `${segments}%20`,
          `${segments}%00`,
          `${segments}%2f`,
          `${segments}\\`,
        ],
        ...[`${segments}/.`, `${segments}/..`, `${segments}/%2e%2e`, `http://${host}${segments}`],
      ];
      for (const one of spelled) {
        // Where no operation is named the answer may have the shape of its listener, or of the form.
        const { words } = await ask(call, `${one}${asked}`);
        expect([one, words]).toEqual([one, expect.stringMatching(malformed)]);
      }
    },
  );

  it.each(doors)(
    'of $name: another case, a slash at the end or a parameter is another path',
    async (door) => {
      const call = callOf(door);
      const [segments = '', query] = call.path.split('?');
      const asked = query === undefined ? '' : `?${query}`;
      const first = segments.replace(/[a-z]/, (letter) => letter.toUpperCase());
      // The contract has these by name.
      const slashed = door.name === 'querySts' ? [] : [`${segments}/`];
      for (const one of [first, `${segments};v=1`, ...slashed]) {
        const { words } = await ask(call, `${one}${asked}`);
        expect([one, words]).toEqual([one, expect.stringMatching(/^404 |^422 mapping_invalid$/)]);
      }
    },
  );
});

describe('what is optional', () => {
  const optional = doors.flatMap((door) =>
    door.parameters
      .filter(({ in: place, required }) => place === 'query' && required !== true)
      .map((parameter) => ({ door, name: door.name, parameter: parameter.name, one: parameter })),
  );
  // Each of them is there already: as a preview, with the one principal that there may be; a cursor is of the service.
  const addable = optional.filter(
    ({ name, parameter }) => name !== 'listPermissions' && !/^(?:dryRun|cursor)$/.test(parameter),
  );
  const faulty = /query_invalid|body_invalid|body_malformed|ValidationError|request_malformed/;
  const sent = (one: Parameter) => `${one.name}=${String(one.example)}`;

  it.each(addable)('may be there: $parameter of $name', async ({ door, one }) => {
    expect(await said(withQuery(callOf(door), sent(one)))).not.toMatch(faulty);
  });

  it.each(optional)(
    'is there once, unless it is a list, and says something: $parameter of $name',
    async ({ door, one }) => {
      const call = callOf(door);
      if (one.schema['type'] !== 'array') {
        expect(await said(withQuery(call, `${sent(one)}&${sent(one)}`))).toMatch(
          /^400 query_invalid$|^400 ValidationError$/,
        );
      }
      const { [door.name]: untried = call } = soundCalls;
      expect(await said(withQuery({ ...call, path: untried.path }, `${one.name}=`))).toMatch(
        /^400 query_invalid$|^400 ValidationError$/,
      );
    },
  );

  const members = withBody.flatMap((door) => {
    const [media] = Object.values(door.operation.requestBody?.content ?? {});
    const schema = resolve<Schema>((media?.schema ?? {}) as Schema);
    const required = (schema['required'] ?? []) as readonly string[];
    const listed = Object.keys((schema['properties'] ?? {}) as object);
    return listed
      .filter((member) => !required.includes(member) && door.name !== 'querySts')
      .map((member) => ({ door, name: door.name, member }));
  });

  it.each(members)('is left out rather than null: $member of $name', async ({ door, member }) => {
    const call = callOf(door);
    const body = { ...(call.body as object), [member]: null };
    const answer = await said({ ...call, body });
    expect(answer).toMatch(/^(?:400 body_invalid|422 mapping_invalid)$/);
  });

  it.each(withBody)('is nothing that $name does not know', async (door) => {
    const call = callOf(door);
    const answer =
      call.form === undefined
        ? await said({ ...call, body: { ...(call.body as object), surprise: 1 } })
        : await said({ ...call, form: { ...call.form, Surprise: '1' } });
    expect(answer).toMatch(/^(?:400 (?:body_invalid|ValidationError)|422 mapping_invalid)$/);
  });
});
