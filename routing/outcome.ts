/** Every way in which routing a message can end without reaching its destination. */

export const Undelivered = {
  /** Nobody owns the destination. */
  NoOwner: 1,
  /** The receiver's queue is full. */
  ReceiverFull: 2,
  /** The receiver did not negotiate descriptors. */
  NoDescriptors: 3,
  /** The caller waits for as many replies as it may. */
  TooManyReplies: 4,
  /** The caller already waits for a reply with this serial from this receiver. */
  SerialInUse: 5,
  /** The message's type is unknown. */
  UnknownType: 6,
  /** Too much of this sender waits for destinations that are being found. */
  TooMuchPending: 7,
  /** The gatekeeper does not let it pass. */
  Denied: 8,
  /** The receiver's queue has room, but this sender's user has its share of it. */
  ShareSpent: 9,
  /** The caller's user has its share of the replies that callers may wait for. */
  TooManyRepliesOfUser: 10,
} as const;
export type Undelivered = (typeof Undelivered)[keyof typeof Undelivered];
