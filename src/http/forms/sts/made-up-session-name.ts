/**
 * Session names that an SDK invents when its user names none: the time of day, or something random. They say
 * nothing about the caller and are different each time, so they count as none.
 *
 * As found in the sources of the SDKs: JavaScript `aws-sdk-js-session-<ms>`, botocore `botocore-session-<s>`,
 * Java `aws-sdk-java-<ms>`, Kotlin `aws-sdk-kotlin-<ms>`, PHP `aws-sdk-php-<ms>`, Rust `web-identity-token-<ms>`
 * and `web-identity-token-profile-<ms>`, Go the nanoseconds alone, .NET and C++ a UUID, Ruby a UUID in Base64.
 */

const timeStamped =
  /^(?:aws-sdk-(?:js-session|js|java|kotlin|php|go)|aws-go-sdk|aws-dotnet-sdk-session|botocore-session|web-identity-token(?:-profile)?)-\d{10,19}$/;
const unixNanoseconds = /^\d{19}$/;
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function isMadeUpSessionName(name: string): boolean {
  return (
    timeStamped.test(name) ||
    unixNanoseconds.test(name) ||
    uuid.test(name) ||
    uuid.test(Buffer.from(name, 'base64').toString('latin1'))
  );
}
