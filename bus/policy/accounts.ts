/** What a policy has to know about users, which only the machine that it is for can tell. */

export interface Accounts {
  /** Is the user in the machine's user database? */
  isKnown(userId: number): boolean;
  /** The groups that a user is in, by the user database. */
  groupsOf(userId: number): readonly number[];
  /** Does the user sit in front of this machine: has it a session on one of its seats? */
  isAtConsole(userId: number): boolean;
}

/** Everybody is known, and nobody is in a group or at the console, but for what the kernel tells of peers. */
export const noAccounts: Accounts = {
  isKnown: () => true,
  groupsOf: () => [],
  isAtConsole: () => false,
};
