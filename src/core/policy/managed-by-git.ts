import { memberOf } from '../../kit/json/json-object.ts';

/** Whether a role mapping is managed from Git; also of documents that do not pass the checks of today, and of none. */
export function isManagedByGit(document: unknown): boolean {
  return memberOf(document, 'managedBy') === 'git';
}
