import { describe, expect, it } from '@jest/globals';
import { conditions } from '../../src/core/policy/conditions/conditions.ts';
import { readDocument, tableRows } from '../support/markdown.ts';

describe('docs/role-mappings.md', () => {
  it('describes every condition, and no other, as the table of conditions does', () => {
    const rows = tableRows(readDocument('role-mappings.md'), '| condition | holds |');
    expect(rows.map(([name, holds]) => [name, holds?.replaceAll('`', '')])).toEqual(
      Object.entries(conditions).map(([name, { description }]) => [`\`${name}\``, description]),
    );
  });
});
