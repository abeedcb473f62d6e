import type { Fault } from '../api.ts';
import { FaultList } from './fault-list.tsx';

/** What is legal but doubtful. */
export function Warnings({ warnings }: { readonly warnings: readonly Fault[] }) {
  if (warnings.length === 0) return null;
  return (
    <div class="note warn">
      <p>
        <strong>Think about</strong>
      </p>
      <FaultList faults={warnings} />
    </div>
  );
}
