import { toRfc3339 } from '../../../kit/timing/clock.ts';
import { timeCondition } from './condition.ts';
import { instant } from './instant.ts';

export const expiresAt = timeCondition({
  schema: instant,
  description: 'Until before this instant, in UTC.',
  reason: 'mapping_expired',
  reasonMeaning: '`expiresAt` has passed',
  onDeny: { kind: 'sees_everybody' },
  narrows: (from, to) => Date.parse(to) <= Date.parse(from),
  status: 'expired',
  compile(text) {
    const end = Date.parse(text);
    return {
      pointer: '',
      holds: ({ now }) => now < end,
      expected: text,
      actual: ({ now }) => toRfc3339(now),
    };
  },
});
