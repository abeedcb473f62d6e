import type { Fault } from '../api.ts';

/** What is wrong, or doubtful, and where in the document. */
export function FaultList({ faults }: { readonly faults: readonly Fault[] }) {
  return (
    <ul>
      {faults.map(({ pointer, detail }) => (
        <li key={pointer + detail}>
          <code>{pointer || '/'}</code> {detail}
        </li>
      ))}
    </ul>
  );
}
