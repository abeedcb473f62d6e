/** What is in token files that were written by other means than meant: name, what it makes of a token, what is said of it. */
export const brokenTokenFiles: readonly (readonly [
  string,
  (token: Buffer) => Buffer | string,
  string,
])[] = [
  [
    'begins with a byte order mark',
    (token) => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), token]),
    'starts with a byte order mark: save it as UTF-8 without a byte order mark.',
  ],
  ...(['fffe', 'feff', ''] as const).map(
    (mark) =>
      [
        `is UTF-16 (mark "${mark}")`,
        (token: Buffer) => {
          const text = Buffer.from(token.toString('latin1'), 'utf16le');
          return Buffer.concat([Buffer.from(mark, 'hex'), mark === 'feff' ? text.swap16() : text]);
        },
        'is UTF-16 text: save it as UTF-8 without a byte order mark.',
      ] as const,
  ),
  ...['Bearer ', 'bearer ', 'BEARER\t'].map(
    (scheme) =>
      [
        `has ${JSON.stringify(scheme)} in front`,
        (token: Buffer) => `${scheme}${token.toString()}\n`,
        'has "Bearer " in front of the token: it must hold one JWT and nothing else.',
      ] as const,
  ),
  ['is empty', () => '', 'is empty.'],
  ['is blank', () => ' \n\t\n', 'is empty.'],
  ...(
    [
      ['has quotes', (token) => `"${token}"`],
      ['has two of them', (token) => `${token}\n${token}`],
      ['has a variable of a shell', (token) => `TOKEN=${token}`],
      ['has the answer of the token endpoint', (token) => `{"access_token":"${token}"}`],
      ['lost its signature and its dot', (token) => `${token}`.split('.').slice(0, 2).join('.')],
      ['is a line of base64', (token) => token.toString('base64')],
      ['has a part too many', (token) => `${token}.e30`],
      ['has an invisible blank', (token) => `\u200b${token}`],
    ] satisfies [string, (token: Buffer) => string][]
  ).map(([name, spoilt]) => [name, spoilt, 'must hold one JWT and nothing else.'] as const),
];
