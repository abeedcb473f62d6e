import { readGivenFile } from '../kit/files/given-file.ts';
import { FileRefusedError } from '../kit/files/regular-file.ts';
import { TokenBrokerError } from './broker-client.ts';

/**
 * The JWT in a file that somebody else keeps fresh. Read anew each time, without the white space around it.
 *
 * @throws TokenBrokerError `token_file_unreadable`, whose message never holds what is in the file.
 */
export async function readTokenFile(path: string): Promise<string> {
  try {
    return (await readGivenFile(path, maxTokenBytes)).toString('latin1').trim();
  } catch (error) {
    throw unreadable(path, error);
  }
}

const maxTokenBytes = 16 * 1024;

function unreadable(path: string, error: unknown): TokenBrokerError {
  let why = (error as NodeJS.ErrnoException).code ?? 'unknown';
  if (error instanceof FileRefusedError) {
    why = error.fault === 'too_large' ? 'too large for a token' : 'not a file';
  }
  return new TokenBrokerError('token_file_unreadable', `${path} cannot be read (${why}).`);
}
