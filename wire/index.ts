/** Door "./wire": messages, signatures, values and names, without any I/O. */

export { readCapture } from "./capture-reader.ts";
export { type CapturedMessage, CaptureError } from "./captured-message.ts";
export { dumpMessage } from "./dump.ts";
export { DBusErrorName } from "./error-names.ts";
export { MessageFramer } from "./framing.ts";
export { marshal, ValueError } from "./marshal.ts";
export { Memory } from "./memory.ts";
export {
  type Contents,
  errorReply,
  Message,
  type MessageHeader,
  type MethodCallOptions,
  methodCall,
  methodReturn,
  type SignalOptions,
  signal,
} from "./message.ts";
export { decodeMessage, encodeMessage } from "./message-codec.ts";
export {
  isBusName,
  isErrorName,
  isInterfaceName,
  isMemberName,
  isUniqueName,
  isWellKnownName,
} from "./names.ts";
export { isObjectPath, isPathWithin } from "./object-path.ts";
export { pcapFileHeader, pcapRecord } from "./pcap.ts";
export { HeaderField, Limit, MessageFlag, MessageType } from "./protocol.ts";
export { EXACT_VALUES, NATURAL_VALUES, type ReadOptions } from "./read-options.ts";
export { SerialCounter } from "./serial.ts";
export { isSignature, isSingleCompleteType, parseSignature, type Type } from "./signature.ts";
export { unmarshal } from "./unmarshal.ts";
export { BodyValidator, BodyViolation, bodyViolationText } from "./validate.ts";
export { Variant } from "./variant.ts";
export { ProtocolViolation } from "./violation.ts";
