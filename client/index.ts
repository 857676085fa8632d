/** Door ".": a client of any D-Bus message bus. */

export type { ByteStream } from "../transport/byte-stream.ts";
export type { ConnectError } from "../transport/connect.ts";
export type { FileDescriptor } from "../transport/file-descriptor.ts";
export type { Mechanism } from "../transport/mechanism.ts";
export { ReleaseNameReply, RequestNameReply } from "../wire/protocol.ts";
export { EXACT_VALUES, NATURAL_VALUES, type ReadOptions } from "../wire/read-options.ts";
export { Variant } from "../wire/variant.ts";
export {
  type CallListener,
  Client,
  type ClientOptions,
  type RequestNameOptions,
} from "./client.ts";
export { type ConnectOptions, connect, sessionBus, systemBus } from "./connect.ts";
export { ownDescriptor } from "./descriptors.ts";
export { DBusError, type DBusErrorCode } from "./errors.ts";
export type { Monitor, MonitoredMessage, MonitorOptions } from "./monitor.ts";
export type { Content, MethodCall, Signal } from "./outgoing.ts";
export type { CallOptions } from "./pending-calls.ts";
export type { ReceivedMessage } from "./received-message.ts";
export type { SignalStream, SignalStreamOptions } from "./signal-stream.ts";
export type { RuleInput, SignalListener, Subscription } from "./subscriptions.ts";
