/** The header in which an editor says why: it stays in the history of the mapping and in the audit log. */

import { isChangeReason } from '../../core/editing/change-facts.ts';
import { BrokerError } from '../../core/errors.ts';
import type { AdmittedRequest } from '../admission.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });

/** @throws BrokerError `change_reason_required`. */
export function changeReason({ headersDistinct }: AdmittedRequest): string {
  const [value, another] = headersDistinct['change-reason'] ?? [];
  const reason = value === undefined ? undefined : decodeText(value)?.trim();
  if (reason === undefined || another !== undefined || !isChangeReason(reason)) {
    throw new BrokerError('change_reason_required', {
      detail:
        'Say why in one Change-Reason header of 1 to 500 printable characters, such as "INC-1234: orders service moved".',
    });
  }
  return reason;
}

/** Node reads header fields as Latin-1; clients write UTF-8. */
function decodeText(value: string): string | undefined {
  try {
    return decoder.decode(Buffer.from(value, 'latin1'));
  } catch {
    return undefined;
  }
}
