/** What a record is for, in the order in which they go without when the disk fills. */
export const recordPurposes = [
  'refusals_of_strangers',
  'refusals_of_callers',
  'requests',
  'administration',
] as const;
export type RecordPurpose = (typeof recordPurposes)[number];
