import { errorCodeOf } from '../kit/files/error-code.ts';
import { readGivenFile } from '../kit/files/given-file.ts';
import { FileRefusedError } from '../kit/files/regular-file.ts';
import { TokenBrokerError } from './broker-client.ts';

/**
 * The JWT in a file that somebody else keeps fresh. Read anew each time, without the white space around it.
 *
 * @throws TokenBrokerError `token_file_unreadable`: which file, and why; never what is in the file.
 */
export async function readTokenFile(path: string): Promise<string> {
  const text = await readLine(path);
  if (compactJwt.test(text)) return text;
  const why = bearer.test(text) ? 'has "Bearer " in front of the token: it ' : '';
  throw unusable(path, `${why}must hold one JWT and nothing else.`);
}

/** The secret of an app client, in the same kind of file. @throws as readTokenFile */
export async function readSecretFile(path: string): Promise<string> {
  const text = await readLine(path);
  if (clientSecret.test(text)) return text;
  throw unusable(path, 'must hold one client secret and nothing else.');
}

const maxBytes = 16 * 1024;
/** RFC 7515 section 3.1. One without a signature goes to the broker, which says what is wrong with it. */
const compactJwt = /^[\w-]+\.[\w-]+\.[\w-]*$/;
const bearer = /^bearer\s/i;
/** RFC 6749 appendix A.2 */
const clientSecret = /^[\x20-\x7e]+$/;

async function readLine(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readGivenFile(path, maxBytes);
  } catch (error) {
    throw unreadable(path, error);
  }
  const encoding = encodingFault(bytes);
  if (encoding !== undefined) throw unusable(path, encoding);
  const text = bytes.toString('latin1').trim();
  if (text === '') throw unusable(path, 'is empty.');
  return text;
}

/** What editors and shells of Windows put into files, and nobody sees. */
function encodingFault(bytes: Buffer): string | undefined {
  const saveIt = 'save it as UTF-8 without a byte order mark.';
  // UTF-16 has every second byte zero, with a mark in front or without.
  if (bytes.includes(0) || ['fffe', 'feff'].includes(bytes.toString('hex', 0, 2))) {
    return `is UTF-16 text: ${saveIt}`;
  }
  return bytes.toString('hex', 0, 3) === 'efbbbf'
    ? `starts with a byte order mark: ${saveIt}`
    : undefined;
}

function unreadable(path: string, error: unknown): TokenBrokerError {
  let why = errorCodeOf(error);
  if (error instanceof FileRefusedError) {
    why = error.fault === 'too_large' ? 'too large for a token' : 'not a file';
  }
  return unusable(path, `cannot be read (${why}).`);
}

function unusable(path: string, why: string): TokenBrokerError {
  return new TokenBrokerError('token_file_unreadable', `${path} ${why}`);
}
