/** How much one of several users may have of what they share. */

/**
 * May somebody who has `own` of a supply have `more`, if `free` is left and `users` have something of it,
 * this one included?
 *
 * Of what nobody else has, a part is always left: with n users, each may come to the n+1st part. The first
 * one so gets half, and the last of n greedy ones 1/n² or so; one that needs little never notices, and a
 * newcomer always finds something. The idea is dbus-broker's.
 */
export function isWithinShare(own: number, more: number, free: number, users: number): boolean {
  return (own + more) * (users + 1) <= free + own;
}

/** The most that somebody could have now: `own` and what it would still get. */
export function shareOf(own: number, free: number, users: number): number {
  return Math.max(own, Math.floor((free + own) / (users + 1)));
}
