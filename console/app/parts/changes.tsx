import type { DocumentChange } from '../documents.ts';
import { visibleJson } from '../visible-text.ts';

/** Differences of a document; what goes and what comes are told apart by words as well as by colours. */
export function Changes({
  changes,
  caption,
}: {
  readonly changes: readonly DocumentChange[];
  readonly caption: string;
}) {
  if (changes.length === 0) return <p class="quiet">{caption}: nothing is different.</p>;
  return (
    <div class="scroll">
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            <th scope="col">Member</th>
            <th scope="col">Before</th>
            <th scope="col">After</th>
          </tr>
        </thead>
        <tbody>
          {changes.map((change) => (
            <tr key={change.pointer}>
              <th scope="row">
                <code>{change.pointer || 'the whole document'}</code>
              </th>
              <td>
                {'before' in change ? (
                  <del>
                    <code>{visibleJson(change.before)}</code>
                  </del>
                ) : (
                  'absent'
                )}
              </td>
              <td>
                {'after' in change ? (
                  <ins>
                    <code>{visibleJson(change.after)}</code>
                  </ins>
                ) : (
                  'absent'
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
