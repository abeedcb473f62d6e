import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { urlBelow } from '../../../src/kit/net/url-below.ts';

it.each([
  ['https://broker.example', 'https://broker.example/v1/explain'],
  ['https://broker.example/', 'https://broker.example/v1/explain'],
  [
    'https://broker.example:8443/behind/a/proxy/',
    'https://broker.example:8443/behind/a/proxy/v1/explain',
  ],
  ['https://broker.example//other.example', 'https://broker.example//other.example/v1/explain'],
  ['https://broker.example/\\other.example', 'https://broker.example//other.example/v1/explain'],
  ['https://name:word@broker.example/?a=b#c', 'https://broker.example/v1/explain'],
])('%s', (base, expected) => {
  expect(urlBelow(new URL(base), '/v1/explain').href).toBe(expected);
});

it('stays at the origin that was checked, whatever the path looks like', () => {
  const piece = fc.constantFrom(
    '/',
    '//',
    '\\',
    '@',
    ':',
    '.',
    '..',
    '%2f',
    '%5c',
    'other.example',
    '?',
    '#',
    '\t',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const base = new URL(`https://broker.example:8443/${pieces.join('')}`);
      const url = urlBelow(base, '/v1/explain');
      expect(url.origin).toBe(base.origin);
      expect(url.pathname.endsWith('/v1/explain')).toBe(true);
      expect(url.search + url.hash + url.username + url.password).toBe('');
    }),
  );
});
