import { describe, expect, it } from '@jest/globals';
import {
  BrokerError,
  type BrokerErrorCode,
  type ErrorReason,
  errorCodes,
} from '../../src/core/errors.ts';
import { stsError } from '../../src/http/forms/sts/sts-error.ts';
import { rawProblem } from '../../src/http/problem.ts';
import { codeBlocks, readDocument, tableRows } from '../support/markdown.ts';

const document = readDocument('errors.md');
const codes = Object.keys(errorCodes) as readonly BrokerErrorCode[];

function bodyOf(error: BrokerError): unknown {
  return JSON.parse(rawProblem(error, null).split('\r\n\r\n')[1] ?? '');
}

describe('docs/errors.md', () => {
  it('documents every code once, and no other, in the order of the code', () => {
    const headings = [...document.matchAll(/^### (.+)$/gm)].map((match) => match[1]);
    expect(headings).toEqual(codes.map((code) => `\`${code}\``));
  });

  it.each(codes)('explains %s below its first line, which is written', (code) => {
    const [, explanation] =
      new RegExp(`^### \`${code}\`\\n\\n.+\\n\\n(.+)`, 'm').exec(document) ?? [];
    expect(explanation).toMatch(/^[^#]/);
  });

  it('shows a problem document as the service prints it', () => {
    const [text = ''] = codeBlocks(document, 'json');
    const example = JSON.parse(text);
    const { code, detail, choices, request_id } = example;
    expect(bodyOf(new BrokerError(code, { detail, choices }))).toEqual({
      ...example,
      request_id: expect.not.stringMatching(request_id),
    });
  });

  it('explains every member of a problem document, and no other', () => {
    const members = tableRows(document, '| member | meaning |').map(([member]) => member);
    const printed = [
      new BrokerError('body_invalid', { detail: 'x', faults: [] }),
      new BrokerError('role_ambiguous', { detail: 'x', choices: [] }),
    ].flatMap((error) => Object.keys(bodyOf(error) as object));
    expect(new Set(members)).toEqual(new Set(printed.map((name) => `\`${name}\``)));
  });
});

describe('the table of docs/errors.md for the form of STS', () => {
  const header = '| code of STS | status | type | codes of this service, or reasons |';
  const rows = tableRows(document, header).flatMap(rowsOf);

  it.each(rows)('says of $name what the service says', ({ error, ...documented }) => {
    const { code, status } = stsError(error);
    expect({ code, status, type: status < 500 ? 'Sender' : 'Receiver' }).toEqual({
      code: documented.stsCode,
      status: documented.status ?? error.status,
      type: documented.type,
    });
  });

  it('has every code that can come there', () => {
    const elsewhere = [
      'route_not_found',
      'token_missing',
      'scope_insufficient',
      'sign_in_insufficient',
      'role_ambiguous',
      ...codes.filter((code) =>
        /^(?:mapping|change|precondition|approval|proposals?|approver|table)_/.test(code),
      ),
    ];
    const listed = rows.filter(({ error }) => error.reason === undefined).map(({ name }) => name);
    expect(new Set([...listed, ...elsewhere])).toEqual(new Set(codes));
  });
});

/** One for each code or reason in the last cell. */
function rowsOf([stsCode = '', status, type, names = '']: readonly string[]) {
  return [...names.matchAll(/(reason )?`(\w+)`/g)].map(([, isReason, name = '']) => ({
    name,
    error: isReason
      ? { code: 'signature_invalid' as const, status: 403, reason: name as ErrorReason }
      : new BrokerError(name as BrokerErrorCode),
    stsCode: stsCode.replaceAll('`', ''),
    // In words where it is that of the code.
    status: Number(status) || undefined,
    type,
  }));
}
