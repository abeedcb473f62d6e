import {
  callerIdentityAction,
  stsVersion,
  webIdentityAction,
} from '../../src/sts-protocol/answers.ts';
import {
  parseQueryForm,
  QueryFormError,
  type QueryParameters,
} from '../../src/sts-protocol/query-form.ts';
import { StsError } from './sts-error.ts';

/** Throws `MalformedInput` for what is no form. */
export function parseStsQuery(contentType: string | undefined, body: Buffer): QueryParameters {
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(contentType ?? '')) {
    throw new StsError(
      'MalformedInput',
      'The content type must be application/x-www-form-urlencoded',
    );
  }
  try {
    return parseQueryForm(body);
  } catch (error) {
    if (!(error instanceof QueryFormError)) throw error;
    throw new StsError('MalformedInput', error.message);
  }
}

const operations = [webIdentityAction, callerIdentityAction] as const;
export type StsOperation = (typeof operations)[number];

/** The operation that a request names. Throws `MissingAction` or `InvalidAction`. */
export function operationOf(parameters: QueryParameters): StsOperation {
  const action = parameters.get('Action');
  if (!action) {
    throw new StsError(
      'MissingAction',
      'The request is missing an action or a required parameter.',
    );
  }
  const version = parameters.get('Version') || 'NO_VERSION_SPECIFIED';
  const operation = operations.find((name) => name === action);
  if (!operation || version !== stsVersion) {
    const message = `Could not find operation ${action.slice(0, 128)} for version ${version.slice(0, 32)}`;
    throw new StsError('InvalidAction', message);
  }
  return operation;
}
