/** Numbers and limits of the D-Bus specification, in one place. */

/** https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-types */
export const MessageType = { MethodCall: 1, MethodReturn: 2, Error: 3, Signal: 4 } as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

/** Bits of the flags byte: https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-messages */
export const MessageFlag = {
  NoReplyExpected: 1,
  NoAutoStart: 2,
  AllowInteractiveAuthorization: 4,
} as const;

/** Codes of the header fields: https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-header-fields */
export const HeaderField = {
  Path: 1,
  Interface: 2,
  Member: 3,
  ErrorName: 4,
  ReplySerial: 5,
  Destination: 6,
  Sender: 7,
  Signature: 8,
  UnixFds: 9,
  /** Not in the specification's table yet, but dbus-daemon 1.14 knows it (object path) and strips it. */
  ContainerInstance: 10,
} as const;

/** The only protocol version there is. */
export const PROTOCOL_VERSION = 1;

/** Bytes before the array of header fields: endianness to the array's length. */
export const FIXED_HEADER_BYTES = 16;

/** https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-marshaling */
export const Limit = {
  messageBytes: 134217728,
  arrayBytes: 67108864,
  nameBytes: 255,
  signatureBytes: 255,
  arrayDepth: 32,
  structDepth: 32,
  totalDepth: 64,
  /** dbus-daemon's DBUS_MAXIMUM_MATCH_RULE_LENGTH. */
  matchRuleBytes: 1024,
  matchRuleArgument: 63,
} as const;

export const DRIVER_NAME = "org.freedesktop.DBus";
export const DRIVER_PATH = "/org/freedesktop/DBus";
/** Local to a client library; a message that claims it ends the connection. */
export const LOCAL_PATH = "/org/freedesktop/DBus/Local";
export const LOCAL_INTERFACE = "org.freedesktop.DBus.Local";

/** Flags of RequestName and answers of RequestName and ReleaseName: #bus-messages-request-name. */
export const RequestNameFlag = { AllowReplacement: 1, ReplaceExisting: 2, DoNotQueue: 4 } as const;
export const RequestNameReply = {
  PrimaryOwner: 1,
  InQueue: 2,
  Exists: 3,
  AlreadyOwner: 4,
} as const;
export type RequestNameReply = (typeof RequestNameReply)[keyof typeof RequestNameReply];
export const ReleaseNameReply = { Released: 1, NonExistent: 2, NotOwner: 3 } as const;
export type ReleaseNameReply = (typeof ReleaseNameReply)[keyof typeof ReleaseNameReply];
