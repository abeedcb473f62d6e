/** An error answer of the local IAM, with the code and status that AWS gives it. */
export class IamError extends Error {
  override readonly name = 'IamError';
  readonly code: IamErrorCode;
  readonly status: number;

  constructor(code: IamErrorCode, message: string) {
    super(message);
    this.code = code;
    this.status = statusByCode[code];
  }
}

export type IamErrorCode = keyof typeof statusByCode;

const statusByCode = {
  AccessDenied: 403,
  EntityAlreadyExists: 409,
  InvalidAction: 400,
  LimitExceeded: 409,
  MalformedInput: 400,
  MalformedPolicyDocument: 400,
  MissingAuthenticationToken: 403,
  NoSuchEntity: 404,
  ServiceFailure: 500,
  ValidationError: 400,
} as const;
