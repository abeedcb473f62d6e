import { toRfc3339 } from '../../../kit/timing/clock.ts';
import { timeCondition } from './condition.ts';
import { instant } from './instant.ts';

export const notBefore = timeCondition({
  schema: instant,
  description: 'From this instant on, in UTC.',
  reason: 'not_yet_valid',
  reasonMeaning: '`notBefore` is still to come',
  onDeny: { kind: 'sees_everybody' },
  narrows: (from, to) => Date.parse(to) >= Date.parse(from),
  status: 'not_yet_valid',
  compile(text) {
    const start = Date.parse(text);
    return {
      pointer: '',
      holds: ({ now }) => now >= start,
      expected: text,
      actual: ({ now }) => toRfc3339(now),
    };
  },
});
