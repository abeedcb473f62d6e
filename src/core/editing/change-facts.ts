/** Who changed what about a role mapping, when and why: kept in its history, shown to people later. */

/** What an edit does to a role mapping. */
export const changeActions = ['create', 'replace', 'delete'] as const;
export type ChangeAction = (typeof changeActions)[number];

export interface ChangeFacts {
  readonly version: number;
  /** Of the table, by this change. */
  readonly revision: number;
  readonly action: ChangeAction;
  /** RFC 3339 with milliseconds. */
  readonly updatedAt: string;
  readonly updatedBy: string;
  /**
   * Whether whoever wrote it had verified a token that says so. False for a name that nothing proved, and for
   * entries from before this was kept.
   */
  readonly actorProven: boolean;
  readonly reason: string;
  /** Where somebody else approved it: who, and which proposal. */
  readonly approvedBy?: string | undefined;
  /** A mapping that is managed from Git was changed outside of it, by somebody who knew that. */
  readonly override?: true | undefined;
  readonly proposal?: string | undefined;
}

/** Letters, marks, numbers, punctuation, symbols and spaces, and nothing that changes how text is shown. */
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]{1,500}$/u;

/** Whether it can stand as the `reason` of a change. */
export function isChangeReason(text: string): boolean {
  return printable.test(text);
}
