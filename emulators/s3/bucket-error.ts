import { bucketXml } from './bucket-xml.ts';

/** An answer that S3 gives in XML: what a request met that it cannot have. */
export class BucketError extends Error {
  override readonly name = 'BucketError';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export function bucketErrorXml({ code, message }: BucketError): string {
  return bucketXml('Error', [
    ['Code', code],
    ['Message', message],
  ]);
}
