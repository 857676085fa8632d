/** What a client answers to calls that nobody in its program serves. */

import { readMachineId } from "../transport/guid.ts";
import { DBusErrorName } from "../wire/error-names.ts";
import { errorReply, type Message, methodReturn } from "../wire/message.ts";
import type { ReceivedMessage } from "./received-message.ts";

const PEER_INTERFACE = "org.freedesktop.DBus.Peer";

/**
 * Every connection answers org.freedesktop.DBus.Peer at every path, as libdbus does; to all else the answer is
 * an error. https://dbus.freedesktop.org/doc/dbus-specification.html#standard-interfaces-peer
 */
export function answerUnserved(call: ReceivedMessage): Message {
  if (call.interface === PEER_INTERFACE) return answerPeer(call);
  return errorReply(
    call,
    DBusErrorName.UnknownObject,
    `No object at path ${call.path} (called: ${call.interface ?? "no interface"}, method ${call.member})`,
  );
}

function answerPeer(call: ReceivedMessage): Message {
  switch (call.member) {
    case "Ping":
      return methodReturn(call);
    case "GetMachineId": {
      const machineId = readMachineId();
      return machineId === null
        ? errorReply(call, DBusErrorName.Failed, "This machine has no machine id")
        : methodReturn(call, { signature: "s", body: [machineId] });
    }
    default:
      return errorReply(
        call,
        DBusErrorName.UnknownMethod,
        `Interface ${PEER_INTERFACE} has no method ${call.member}`,
      );
  }
}
