/** What an edit does to a role mapping. */
export const changeActions = ['create', 'replace', 'delete'] as const;
export type ChangeAction = (typeof changeActions)[number];
