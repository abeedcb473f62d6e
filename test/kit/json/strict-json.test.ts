import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  parseStrictJson,
  StrictJsonError,
  type StrictJsonLimits,
} from '../../../src/kit/json/strict-json.ts';
import { runs, seenMoreThan } from '../../support/fuzz-budget.ts';

const limits: StrictJsonLimits = { maxDepth: 8, maxKeys: 64 };

function parse(input: string | Uint8Array, changed: Partial<StrictJsonLimits> = {}): unknown {
  const bytes = typeof input === 'string' ? Buffer.from(input) : input;
  return parseStrictJson(bytes, { ...limits, ...changed });
}

/** The refusal's message, or `accepted`. Anything else that is thrown fails the test. */
function refusal(input: string | Uint8Array, changed: Partial<StrictJsonLimits> = {}): string {
  try {
    parse(input, changed);
    return 'accepted';
  } catch (error) {
    if (error instanceof StrictJsonError) return error.message;
    throw error;
  }
}

const twice = 'has the same name twice in one object';
const notJson = 'is not valid JSON';
const notUtf8 = 'is not valid UTF-8';

describe('a name that stands twice in one object (T12, T41)', () => {
  it.each([
    ['spelled alike', '{"a":1,"a":2}'],
    ['with equal values', '{"a":1,"a":1}'],
    ['with white space before the colon', '{"a" \t\r\n:1,"a":2}'],
    ['escaped the first time', '{"\\u0061":1,"a":2}'],
    ['escaped the second time', '{"a":1,"\\u0061":2}'],
    ['escaped in two ways', '{"\\u002f":1,"\\/":2}'],
    ['escaped in upper and lower case', '{"\\u00e4":1,"\\u00E4":2}'],
    ['as a letter and as its escape', '{"ä":1,"\\u00e4":2}'],
    ['as a pair of surrogates', '{"😀":1,"\\ud83d\\ude00":2}'],
    ['as a lone surrogate', '{"\\ud800":1,"\\uD800":2}'],
    ['with an escaped quote', '{"a\\"":1,"a\\u0022":2}'],
    ['that is empty', '{"":1,"":2}'],
    ['far apart', '{"a":{"b":[1,{"c":2}]},"d":"}","a":3}'],
    ['in an inner object', '{"x":[{"a":1,"b":{},"a":2}]}'],
    ['after a text that looks like the end', '{"a":"\\\\","b":"}{","a":1}'],
    ['that every object inherits', '{"toString":1,"toString":2}'],
  ])('is refused: %s', (_case, text) => {
    expect(refusal(text)).toBe(twice);
  });

  it.each([
    ['in two objects', '[{"a":1},{"a":2}]'],
    ['in an object and in the one around it', '{"a":{"a":1}}'],
    ['once as a name and once as a value', '{"a":"a","b":"a"}'],
    ['once as a name and once inside a text', '{"a":"\\"a\\":1"}'],
    ['in other letters', '{"a":1,"A":2}'],
    ['in another normal form', '{"\\u00e9":1,"e\\u0301":2}'],
  ])('is no such name %s', (_case, text) => {
    expect(refusal(text)).toBe('accepted');
  });
});

describe('text that is refused', () => {
  it.each([
    ['nothing', '', notJson],
    ['white space', ' \n', notJson],
    ['two values', '1 2', notJson],
    ['two objects', '{}{}', notJson],
    ['a trailing comma', '{"a":1,}', notJson],
    ['a comment', '{"a":1/**/}', notJson],
    ['single quotes', "{'a':1}", notJson],
    ['a name without quotes', '{a:1}', notJson],
    ['a value without a name', '{"a"}', notJson],
    ['a name in a list', '["a":1]', notJson],
    ['an open list', '[1', notJson],
    ['an open text', '"a', notJson],
    ['an open escape', '"a\\', notJson],
    ['an escape that does not exist', '{"\\x61":1}', notJson],
    ['a line feed in a text', '"a\nb"', notJson],
    ['a line feed in a name', '{"a\n":1}', notJson],
    ['brackets that do not match', '{"a":[1}]', notJson],
    ['more closing brackets than open ones', ']]]', notJson],
    ['a leading zero', '01', notJson],
    ['a plus sign', '+1', notJson],
    ['hexadecimal', '0x1', notJson],
    ['NaN', 'NaN', notJson],
    ['a no-break space', '\u00a0{}', notJson],
    ['a byte order mark', '\ufeff{}', 'starts with a byte order mark'],
    ['__proto__', '{"__proto__":{"a":1}}', 'has a name that is not allowed'],
    ['__proto__, escaped', '{"__pr\\u006fto__":1}', 'has a name that is not allowed'],
    ['__proto__, deep inside', '[[{"a":{"__proto__":1}}]]', 'has a name that is not allowed'],
  ])('%s', (_case, text, message) => {
    expect(refusal(text)).toBe(message);
  });

  it.each([
    ['a lone continuation byte', [0x22, 0x80, 0x22]],
    ['a cut sequence', [0x22, 0xc3, 0x22]],
    ['an overlong slash', [0x22, 0xc0, 0xaf, 0x22]],
    ['an overlong NUL', [0x22, 0xe0, 0x80, 0x80, 0x22]],
    ['an encoded surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['a code point beyond Unicode', [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22]],
    ['UTF-16', [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]],
    ['Latin-1', [0x22, 0xe4, 0x22]],
  ])('bytes that are %s', (_case, bytes) => {
    expect(refusal(Uint8Array.from(bytes))).toBe(notUtf8);
    expect(refusal('{"ä":1}')).toBe('accepted');
  });

  it('is never repeated in the message', () => {
    const canary = 'CANARY';
    for (const text of [canary, `{"${canary}":1,"${canary}":2}`, `{"${canary}`, `["${canary}",]`]) {
      expect(refusal(text)).not.toContain(canary);
      expect(refusal(text)).not.toBe('accepted');
    }
  });
});

const inexact = 'has a number that is larger or finer than can be told apart';

describe('a number that two parsers may read differently (T87)', () => {
  it.each([
    ...['9007199254740993', '-9007199254740993', '9007199254740993.0', '90071992547409930e-1'],
    ...['1.00000000000000000001', '0.1000000000000000000001', '12345678901234567890'],
    ...['1e400', '-1e400', '1e-400', `1${'0'.repeat(50)}`, `0.${'0'.repeat(50)}1`],
  ])('is refused: %s', (number) => {
    for (const text of [number, `{"a":[${number}]}`, `[0,"9", ${number} ]`]) {
      expect(refusal(text)).toBe(inexact);
    }
  });

  it.each(['0', '-0', '1.0', '1e2', '1E+2', '0.1', '0.30000000000000004', '9007199254740992'])(
    'is not %s, nor any text that merely looks like one',
    (number) => {
      expect(parse(number)).toBe(JSON.parse(number));
      expect(refusal('"9007199254740993"')).toBe('accepted');
      expect(refusal('{"9007199254740993":"1e400"}')).toBe('accepted');
    },
  );

  it.each(['1.0', '-0', '1e2', '1E2', '1e+2', '0.10', '-1.50', '0.0', '1e-7'.replace('e', 'E')])(
    'is one in another spelling where numbers are compared as text: %s (T156)',
    (number) => {
      const limits = { maxDepth: 4, maxKeys: 8, numbers: 'as_written' } as const;
      const read = (text: string) => parseStrictJson(new TextEncoder().encode(text), limits);
      expect(() => read(`{"a":[0,${number}]}`)).toThrow(/in a spelling that is not kept/);
      expect(read(`["${number}",${Number(number) || 0}]`)).toEqual([number, Number(number) || 0]);
    },
  );

  it('is told from one that a double has, for any whole number and any double', () => {
    const whole = fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n });
    fc.assert(
      fc.property(whole, fc.double({ noDefaultInfinity: true, noNaN: true }), (number, double) => {
        const same = BigInt(Number(number)) === number;
        // Of neighbours beyond 2^53 one has the text of the double.
        if (refusal(String(number)) === 'accepted')
          expect(String(Number(number))).toBe(String(number));
        else expect(same && Math.abs(Number(number)) < 2 ** 53).toBe(false);
        expect(refusal(JSON.stringify(double))).toBe('accepted');
      }),
      runs(300),
    );
  });
});

describe('limits', () => {
  it.each([
    ['lists', (n: number) => '['.repeat(n) + ']'.repeat(n)],
    ['objects', (n: number) => `${'{"a":'.repeat(n)}1${'}'.repeat(n)}`],
  ])('bound the nesting of %s, to the level', (_case, nest) => {
    expect(refusal(nest(8))).toBe('accepted');
    expect(refusal(nest(9))).toBe('is nested too deeply');
    expect(refusal(nest(100_000))).toBe('is nested too deeply');
  });

  it('bound the names of all objects together, to the name', () => {
    const objects = (n: number) => `[${Array.from({ length: n }, () => '{"a":1,"b":2}').join()}]`;
    expect(refusal(objects(32))).toBe('accepted');
    expect(refusal(objects(33))).toBe('has too many names');
    expect(refusal(objects(32).replace('1', '{"c":1}'))).toBe('has too many names');
  });

  it('do not count what stands inside texts', () => {
    const text = JSON.stringify(['[[[[[[[[[[{{{', '"a":"b":'.repeat(100)]);
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  it('end at two mebibytes, whatever is in them', () => {
    const text = (bytes: number) =>
      Buffer.alloc(bytes, 'a')
        .fill('"', 0, 1)
        .fill('"', bytes - 1);
    expect(refusal(text(2 * 1024 * 1024))).toBe('accepted');
    expect(refusal(text(2 * 1024 * 1024 + 1))).toBe('is too large');
  });
});

describe('what is accepted', () => {
  it('has no prototypes, at any depth (T12, T41)', () => {
    const value = parse('{"a":[{"b":{}}]}') as { a: [{ b: object }] };
    for (const object of [value, value.a[0], value.a[0].b]) {
      expect(Object.getPrototypeOf(object)).toBeNull();
    }
    expect('toString' in value).toBe(false);
  });

  it('leaves lone surrogates to the caller', () => {
    expect(parse('"\\ud800"')).toBe('\ud800');
  });
});

describe('for any input', () => {
  const wide = { maxDepth: 100, maxKeys: 100_000 };
  /** Text made of the pieces that JSON is made of, which random text hardly ever is. */
  const pieces = fc
    .array(
      fc.constantFrom(
        ...'{}[]:,"\\',
        '"a"',
        '"a":',
        '"\\u0061"',
        '\\u',
        '1',
        'null',
        ' ',
        '\n',
        'ä',
      ),
      { maxLength: 24 },
    )
    .map((parts) => parts.join(''));

  it('the value is what JSON.parse makes of it, where it is accepted', () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.oneof(fc.json(), pieces), (text) => {
        if (refusal(text, wide) !== 'accepted') return;
        accepted += 1;
        expect(parse(text, wide)).toEqual(JSON.parse(text));
        expect(JSON.stringify(parse(text, wide))).toBe(JSON.stringify(JSON.parse(text)));
      }),
      runs(3000),
    );
    expect(accepted).toBeGreaterThan(seenMoreThan(1000));
  });

  it('JSON without repeated names is accepted, however it is spaced', () => {
    const spacing = fc.stringMatching(/^[ \t\n\r]{0,3}$/);
    const values = fc
      .jsonValue()
      .filter((value) => !JSON.stringify(value).includes('"__proto__":'));
    fc.assert(
      fc.property(values, spacing, (value, space) => {
        expect(refusal(`${space}${JSON.stringify(value, null, space)}${space}`, wide)).toBe(
          'accepted',
        );
      }),
      runs(1000),
    );
  });

  it('a repeated name is found, wherever it is put and however it is escaped', () => {
    const escaped = (name: string) =>
      [...Array(name.length).keys()]
        .map((at) => `\\u${name.charCodeAt(at).toString(16).padStart(4, '0')}`)
        .join('');
    const objects = fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 });
    fc.assert(
      fc.property(objects, fc.nat(), fc.boolean(), (object, pick, last) => {
        const names = Object.keys(object);
        const name = names[pick % names.length] ?? '';
        const text = JSON.stringify(object);
        const again = `"${escaped(name)}":0`;
        const spoiled = last ? `${text.slice(0, -1)},${again}}` : `{${again},${text.slice(1)}`;
        expect([twice, 'has a name that is not allowed']).toContain(refusal(spoiled, wide));
      }),
      runs(1000),
    );
  });

  it('nothing but a StrictJsonError is ever thrown', () => {
    const inputs = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      pieces.map((text) => Buffer.from(text)),
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
      fc.tuple(fc.json(), fc.nat(), fc.nat(255)).map(([text, at, byte]) => {
        const bytes = Buffer.from(text);
        bytes[at % bytes.length] = byte;
        return bytes;
      }),
    );
    fc.assert(
      fc.property(inputs, (bytes) => {
        expect(typeof refusal(bytes)).toBe('string');
      }),
      runs(5000),
    );
  });
});

describe('a hostile text of a mebibyte (T12, T41)', () => {
  const size = 1_048_576;
  const repeated = (piece: string) => piece.repeat(Math.floor(size / piece.length));

  /** In quadratic time, any of these would take minutes and fail at the limit of the test runner. */
  it.each([
    ['one text that never ends', `"${repeated('a')}`],
    ['quotes', repeated('"')],
    ['backslashes', `"${repeated('\\')}`],
    ['escaped quotes', `"${repeated('\\"')}`],
    ['opening brackets', repeated('[')],
    ['closing brackets', repeated(']')],
    ['empty lists', repeated('[]')],
    ['texts and spaces', repeated('""   ')],
    ['one text and spaces', `"" ${repeated(' ')}`],
    ['names without objects', repeated('"":')],
    ['a name and spaces, but no colon', `{"a"${repeated(' ')}}`],
    ['commas', repeated(',')],
    ['unfinished escapes', `{"${repeated('\\u006')}":1}`],
  ])('is read in linear time: %s', (_case, text) => {
    expect(['accepted', notJson, 'is nested too deeply', 'has too many names']).toContain(
      refusal(text, { maxKeys: size }),
    );
  });
});
