/** The token that `login` got, in a file of this user alone, and the one broker that it is shown to. */

import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { callerVariables } from '../../config/caller-variables.ts';
import { replaceFileSync } from '../../kit/files/replace-file.ts';
import { readStateFileSync } from '../../kit/files/state-file.ts';
import { requireSecretFolderSync } from '../../kit/files/state-folder.ts';
import type { ProcessEdge } from '../edge.ts';

const session = z.strictObject({
  /** A token for one broker would let another be its holder there. */
  adminUrl: z.string(),
  token: z.string().regex(/^[A-Za-z0-9._~+/=-]{1,16384}$/),
});

export type Session = z.output<typeof session>;

/**
 * XDG Base Directory Specification: state, not configuration, and a path that is not absolute is to be ignored. Undefined for
 * users that no file knows, as containers run them.
 */
export function sessionFile(env: ProcessEdge['env']): string | undefined {
  const { [callerVariables.sessionFile]: named = '', XDG_STATE_HOME: state = '' } = env;
  if (named !== '') return named;
  const below = (base: string) => join(base, 'token-broker', 'session.json');
  if (state.startsWith('/')) return below(state);
  try {
    return below(join(homedir(), '.local', 'state'));
  } catch {
    return undefined;
  }
}

/**
 * Undefined if there is none, or none that this version wrote.
 *
 * @throws FileRefusedError for one that somebody else may have made or read
 */
export function readSession(file: string | undefined): Session | undefined {
  if (file === undefined) return undefined;
  const bytes = readStateFileSync(file, { maxBytes: 32 * 1024, secret: true });
  if (bytes === undefined) return undefined;
  try {
    return session.safeParse(JSON.parse(bytes.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

/**
 * Makes it if it is not there.
 *
 * @throws FileRefusedError for a folder that is open to others, or the error of the file system
 */
export function requireSessionFolder(file: string): void {
  requireSecretFolderSync(dirname(file));
}

/** @throws FileRefusedError for a folder that is open to others, or the error of the file system */
export function keepSession(file: string, kept: Session): void {
  requireSessionFolder(file);
  replaceFileSync(file, `${JSON.stringify(kept)}\n`);
}
