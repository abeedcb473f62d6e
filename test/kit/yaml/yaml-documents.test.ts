import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { faultLine } from '../../../src/kit/yaml/source-fault.ts';
import { maxOddLength, parseYaml } from '../../../src/kit/yaml/yaml-documents.ts';
import { portion, runs } from '../../support/fuzz-budget.ts';

const parse = (text: string) => {
  const { documents, faults } = parseYaml({ path: 'f.yaml', text });
  return {
    values: documents.map(({ value }) => JSON.parse(JSON.stringify(value))),
    faults: faults.map(faultLine),
  };
};

describe('YAML', () => {
  it('of several documents is read, each by itself', () => {
    expect(parse('a: 1\n---\nb: [x, {y: null}]\n...\n')).toEqual({
      values: [{ a: 1 }, { b: ['x', { y: null }] }],
      faults: [],
    });
    const { values, faults } = parse('a: 1\n---\nb: 1\nb: 2\n---\nc: 3\n');
    expect([values, faults]).toEqual([[{ a: 1 }, { c: 3 }], ['f.yaml:4:1: /b: is there twice']]);
  });

  it('is version 1.2: yes, on, octal and dates are text', () => {
    expect(parse('[yes, on, 2012-10-17, 0777x, 12:30]').values).toEqual([
      ['yes', 'on', '2012-10-17', '0777x', '12:30'],
    ]);
  });

  it.each([
    ['a: &x 1\nb: *x', ['1:7: /a: anchors', '2:4: /b: aliases']],
    ['a: !!binary aGk=', ['1:13: /a: tags']],
    ['a: !secret {b: 1}', ['1:12: /a: tags']],
    ['<<: {a: 1}', ['1:1: /<<: merge keys']],
    ['%YAML 1.1\n---\na: yes', ['1:1: directives']],
    ['%TAG ! tag:example,2000:\n---\na: 1', ['1:1: directives']],
    ['a: 1\nb: 2\na: 3', ['3:1: /a: is there twice']],
    ['"a\\u0062": 1\nab: 2', ['2:1: /ab: is there twice']],
    ['x: {y: 1, y: 2}', ['1:11: /x/y: is there twice']],
    ['__proto__: {}', ['1:1: /__proto__: is not an allowed name']],
    ['? [a]\n: b', ['1:3: With stringKeys']],
    ['a: 012345678901', ['1:4: /a: is not kept as it is written']],
    ['a: 12345678901234567890', ['1:4: /a: is not kept as it is written']],
    ['a: 0x10', ['1:4: /a: is not kept as it is written']],
    ['a: [1.50]', ['1:5: /a/0: is not kept as it is written']],
    ['a: .inf', ['1:4: /a: is not kept as it is written']],
    ['', ['1:1: holds nothing']],
    ['# only a comment', ['1:1: holds nothing']],
    ['a: 1\n---\n', ['2:4: is an empty document']],
    ['a: [1', ['1:6: ']],
    ['a: "x', ['1:6: Missing closing']],
    ['a:\n\tb: 1', ['2:1: ']],
  ])('refuses %j and says where', (text, expected) => {
    const { values, faults } = parse(text);
    expect(faults.length).toBeGreaterThanOrEqual(expected.length);
    expected.forEach((start, index) => {
      expect(faults[index]).toMatch(new RegExp(`^f\\.yaml:${escaped(start)}`));
    });
    expect(values.length).toBe(text.startsWith('a: 1\n---') ? 1 : 0);
  });

  it('has a place for every pointer: the name of a member, the start of an item', () => {
    const text = 'a:\n  b/c:\n    - x\n    - {d: 1}\n';
    const [document] = parseYaml({ path: 'f', text }).documents;
    expect(document?.positionOf('/a/b~1c')).toEqual({ line: 2, col: 3 });
    expect(document?.positionOf('/a/b~1c/1')).toEqual({ line: 4, col: 7 });
    expect(document?.positionOf('/a/b~1c/1/d')).toEqual({ line: 4, col: 8 });
    expect(document?.positionOf('/a/b~1c/7/absent')).toEqual({ line: 2, col: 3 });
    expect(document?.positionOf('/absent')).toEqual({ line: 1, col: 1 });
  });

  it('nested without end is refused before it can end the process', () => {
    for (const part of ['[', '{a: ', '- ', '? ', 'a: ', '[{', ': ']) {
      const { faults } = parse(part.repeat(portion(20_000)));
      expect([part, faults]).toEqual([part, [expect.stringContaining('is nested too deeply')]]);
    }
  });

  it('built to be slow takes no more than a moment', () => {
    for (const part of ['---\n', 'a:\n', '"', ']', '*a ', '&a ', '!', '|\n', 'a: b\n', '? a\n']) {
      // Of this process: what else a busy machine does is no fault of the reader.
      const started = process.cpuUsage();
      const { faults } = parse(part.repeat(Math.floor(portion(50_000) / part.length)));
      expect(faults.length).toBeLessThanOrEqual(50);
      expect([part, process.cpuUsage(started).user < 10_000_000]).toEqual([part, true]);
    }
  });

  it('T341: and long is refused where it stops being plain, without a look at the rest', () => {
    const plain = Array.from({ length: 20_000 }, (_, index) => `k${index}: some text\n`).join('');
    expect(plain.length).toBeGreaterThan(maxOddLength);
    expect(parse(plain)).toMatchObject({ values: [{ k19999: 'some text' }], faults: [] });
    const started = process.cpuUsage();
    for (const [text, place] of [
      [`${plain}é: 1\n`, '20001:1'],
      [`${plain}last: |\n  text\n`, '20001:7'],
      [`${plain}k0: again\n`, '20001:4'],
      ...['[', '- ', '{a: ', '"', 'a: x\nb\n', ',a', '--- a\n', '\t'].map(
        (part) => [part.repeat((4 * 1024 * 1024) / part.length), ''] as const,
      ),
    ] as const) {
      const { values, faults } = parse(text);
      expect(values).toEqual([]);
      expect(faults).toEqual([expect.stringContaining('is not plain, or wrong, from here on')]);
      expect(faults[0]).toContain(`:${place}`);
    }
    // The library takes half a minute for some of these alone.
    expect(process.cpuUsage(started).user).toBeLessThan(10_000_000);
  });

  it('whatever it is, gives documents or faults with a place, and never throws', () => {
    const piece = fc.constantFrom(
      ...['a', 'id', ':', ': ', '- ', '[', ']', '{', '}', ',', '\n', '\n  ', '"', "'", '&x ', '*x'],
      ...[
        '!t ',
        '|',
        '>',
        '#',
        '%',
        '---\n',
        '...',
        '? ',
        '<<',
        '\t',
        '1',
        '\u0000',
        '\u2028',
        '~',
      ],
    );
    const text = fc.oneof(
      fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
      fc.string({ unit: 'binary', maxLength: 60 }),
    );
    fc.assert(
      fc.property(text, (source) => {
        const { documents, faults } = parseYaml({ path: 'f.yaml', text: source });
        expect(documents.length + faults.length).toBeGreaterThan(0);
        for (const { line, col } of faults) {
          expect([line >= 1, col >= 1, line <= source.split(/\n/).length + 1]).toEqual([
            true,
            true,
            true,
          ]);
        }
      }),
      runs(3000),
    );
  });
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
