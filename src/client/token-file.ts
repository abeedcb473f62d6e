import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { TokenBrokerError } from './broker-client.ts';

/**
 * The JWT in a file that somebody else keeps fresh. Read anew each time, without the white space around it.
 *
 * @throws TokenBrokerError `token_file_unreadable`, whose message never holds what is in the file.
 */
export async function readTokenFile(path: string): Promise<string> {
  try {
    // A pipe would be waited for forever.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const facts = await file.stat();
      if (!facts.isFile()) throw unreadable(path, 'not a file');
      if (facts.size > maxTokenBytes) throw unreadable(path, 'too large for a token');
      return (await file.readFile('latin1')).trim();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof TokenBrokerError) throw error;
    throw unreadable(path, (error as NodeJS.ErrnoException).code ?? 'unknown');
  }
}

const maxTokenBytes = 16 * 1024;

function unreadable(path: string, why: string): TokenBrokerError {
  return new TokenBrokerError('token_file_unreadable', `${path} cannot be read (${why}).`);
}
