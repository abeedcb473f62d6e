/** Errors of the container-credentials protocol, in a shape of which every AWS SDK reads something. */

import type { Response } from 'express';
import type { BrokerError } from '../../../core/errors.ts';
import { sendErrorText } from '../../problem.ts';
import { problemOf } from '../../problem-document.ts';
import { awsErrorCode, awsErrorMessage } from '../aws-error.ts';

/**
 * JavaScript reads `Code` and `Message`, Java and Go the lower-case names, botocore prints the whole body. The
 * broker's own code is the end of `type`. Go reads nothing unless the type is `application/json` to the letter.
 */
export function sendContainerError(res: Response, error: BrokerError, requestId: string): void {
  const code = awsErrorCode(error);
  const message = awsErrorMessage(error, requestId);
  const body = { Code: code, Message: message, ...problemOf(error, requestId), code, message };
  const text = JSON.stringify(body);
  sendErrorText(res, error, requestId, { contentType: 'application/json', text });
}
