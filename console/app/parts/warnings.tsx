import type { Fault } from '../api.ts';

/** What is legal but doubtful. */
export function Warnings({ warnings }: { readonly warnings: readonly Fault[] }) {
  if (warnings.length === 0) return null;
  return (
    <div class="note warn">
      <p>
        <strong>Think about</strong>
      </p>
      <ul>
        {warnings.map(({ pointer, detail }) => (
          <li key={pointer + detail}>
            <code>{pointer || '/'}</code> {detail}
          </li>
        ))}
      </ul>
    </div>
  );
}
