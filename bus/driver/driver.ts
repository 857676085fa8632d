/** The bus's own object `org.freedesktop.DBus`: which method a call means, and what it is answered. */

import type { Endpoint } from "../../routing/endpoint.ts";
import type { GatewayFailure } from "../../routing/gateway.ts";
import { Undelivered } from "../../routing/outcome.ts";
import type { Header } from "../../wire/header.ts";
import type { Strings } from "../../wire/intern.ts";
import { DRIVER_PATH, MessageFlag, MessageType } from "../../wire/protocol.ts";
import { unmarshalLeading } from "../../wire/unmarshal.ts";
import { complaintText } from "../policy/complaint.ts";
import { ACTIVATOR_INTERFACE, SYSTEMD_NAME } from "../systemd.ts";
import {
  type Answer,
  type Call,
  type DriverContext,
  type DriverError,
  type DriverMethod,
  driverError,
} from "./call.ts";
import { credentialMethods } from "./credential-methods.ts";
import { environmentMethods } from "./environment-methods.ts";
import { EMPTY_INTROSPECTION } from "./introspection.ts";
import { matchMethods } from "./match-methods.ts";
import { monitoringMethods } from "./monitoring-methods.ts";
import { nameMethods, notProvided, tooMuchWaits } from "./name-methods.ts";
import { machineId, objectMethods } from "./object-methods.ts";
import { refusalOf } from "./privilege.ts";
import { statisticsMethods } from "./statistics-methods.ts";

const METHODS: readonly DriverMethod[] = [
  ...nameMethods,
  ...matchMethods,
  ...credentialMethods,
  ...objectMethods,
  ...environmentMethods,
  ...monitoringMethods,
  ...statisticsMethods,
];
const METHODS_BY_MEMBER: ReadonlyMap<string, readonly DriverMethod[]> = byMember(METHODS);
const INTERFACES_ANYWHERE: ReadonlySet<string> = new Set(
  METHODS.filter((method) => method.anyPath).map((method) => method.interface),
);
const INTERFACES_HERE: ReadonlySet<string> = new Set(METHODS.map((method) => method.interface));

/** No sensible call of the driver is longer, and making values of it must not hold everybody up. */
const ARGUMENT_BYTES = 1 << 20;
const ERROR_PREFIX = "org.freedesktop.DBus.Error.";
const NO_REPLY_EXPECTED = MessageFlag.NoReplyExpected;
const NO_AUTO_START = MessageFlag.NoAutoStart;

export class Driver {
  readonly #strings: Strings;
  readonly #context: DriverContext;

  constructor(strings: Strings, context: DriverContext) {
    this.#strings = strings;
    this.#context = context;
  }

  /**
   * A message to org.freedesktop.DBus. What is not a call is accepted and means nothing, unless systemd says it;
   * false if it fails. Messages that waited for a name may be in `header` afterwards.
   */
  receive(sender: Endpoint, header: Header): boolean {
    if (header.type === MessageType.Signal) return this.#hear(sender, header);
    if (header.type === MessageType.MethodCall) return this.#call(sender, header);
    return true;
  }

  #call(sender: Endpoint, header: Header): boolean {
    const call = this.#callOf(sender, header);
    const method = this.#find(header, call.path);
    if ("error" in method) return this.#answer(call, "", method);
    const objection = this.#objection(call, method, header);
    if (objection !== null) return this.#answer(call, "", objection);
    call.values = valuesOf(header, method.reads);
    return this.#answer(call, method.output, method.run(call, this.#context));
  }

  /** Before Hello: false if the message is an offence that ends the connection. */
  receiveUnregistered(sender: Endpoint, header: Header, isForDriver: boolean): boolean {
    const isCall = header.type === MessageType.MethodCall;
    if (!isForDriver || !isCall) {
      this.#context.showUnregistered(sender);
      if (!isCall || header.destination !== 0) return false;
      this.#local(sender, header);
      return true;
    }
    if (this.#strings.textOf(header.member) === "Hello" && this.#isOwnInterface(header)) {
      this.receive(sender, header);
    } else {
      this.#context.showUnregistered(sender);
      const text = "Client tried to send a message other than Hello without being registered";
      this.#answer(this.#callOf(sender, header), "", driverError("AccessDenied", text));
    }
    return true;
  }

  /**
   * A call that names no destination: "interpreted by the peer", which is the bus. dbus-daemon's
   * library answers it, with nothing but the interfaces that any library has.
   */
  receiveLocal(sender: Endpoint, header: Header): void {
    this.#local(sender, header);
  }

  /** Tells `sender`, if it wants to know, that its message did not arrive. */
  undelivered(sender: Endpoint, header: Header, why: Undelivered, receiver: Endpoint | null): void {
    const call = this.#callOf(sender, header);
    // Whoever sends what it must not is told, unless it is a call that says it does not want to know.
    const isTold = why === Undelivered.Denied && header.type !== MessageType.MethodCall;
    const wantsReply = call.wantsReply || isTold;
    this.#answer({ ...call, wantsReply }, "", this.#reason(sender, header, why, receiver));
  }

  /**
   * Tells `sender`, if it wants to know, why there is nobody to have its message. So are senders of signals, as by
   * dbus-daemon: its library marks every signal as one that expects no reply.
   */
  notFound(sender: Endpoint, header: Header, why: GatewayFailure): void {
    const call = this.#callOf(sender, header);
    this.#answer(
      { ...call, wantsReply: call.wantsReply || header.type === MessageType.Signal },
      "",
      why,
    );
  }

  /**
   * Tells `caller` that the reply of `sender` is lost: so much of this user waits for the caller, who does
   * not read, that there is no room for more.
   */
  replyLost(sender: Endpoint, header: Header, caller: Endpoint): void {
    const text = `The reply of "${sender.uniqueName}" is lost: ${this.#ownerOf(sender)} has its fair share of what may wait for "${caller.uniqueName}", which does not read (max_outgoing_bytes=${this.#context.limits.maxOutgoingBytes})`;
    this.#context.outgoing.error(caller, header.replySerial, `${ERROR_PREFIX}LimitsExceeded`, text);
  }

  /**
   * Systemd could not start a unit that it was asked for. Forgers are ignored, unless they are told that they may
   * not even try: then false, as by dbus-daemon.
   */
  #hear(sender: Endpoint, header: Header): boolean {
    const { activation, directory, systemdActivation, log } = this.#context;
    const isFailure =
      this.#strings.textOf(header.member) === "ActivationFailure" &&
      this.#strings.textOf(header.interface) === ACTIVATOR_INTERFACE;
    if (!isFailure) return true;
    const call = this.#callOf(sender, header);
    const refusal = refusalOf(call, this.#context);
    if (refusal !== null) return this.#answer({ ...call, wantsReply: true }, "", refusal);
    if (directory.findText(SYSTEMD_NAME) !== sender) {
      const text = `Ignoring forged ActivationFailure message from ${sender.description}`;
      log({ level: "warning", text, fields: {} });
      return true;
    }
    const isUnderstood =
      systemdActivation &&
      this.#strings.textOf(header.signature) === "sss" &&
      header.bodyLength <= ARGUMENT_BYTES;
    if (!isUnderstood) return true;
    const [unit = "", errorName = "", text = ""] = valuesOf(header, "sss").map(String);
    activation.unitFailed(unit, { errorName, text });
    return true;
  }

  /**
   * Shows monitors why a subscriber does not get a message with descriptors. As in dbus-daemon nobody
   * else is told: the sender of a broadcast does not know its receivers.
   */
  withheld(sender: Endpoint, header: Header, receiver: Endpoint): void {
    const text = `broadcast cannot be delivered to ${receiver.description} because it does not support receiving Unix fds`;
    const name = `${ERROR_PREFIX}NotSupported`;
    this.#context.outgoing.showError(sender, header.serial, name, text);
  }

  /** Shows monitors why a subscriber is not given a broadcast; its sender does not know about it, either. */
  denied(sender: Endpoint | null, header: Header, text: string): void {
    const name = `${ERROR_PREFIX}AccessDenied`;
    if (sender === null) this.untold(header.serial, text);
    else this.#context.outgoing.showError(sender, header.serial, name, text);
  }

  /** Shows monitors why the bus's own message of that serial does not arrive. */
  untold(serial: number, text: string): void {
    this.#context.outgoing.showErrorToDriver(serial, `${ERROR_PREFIX}AccessDenied`, text);
  }

  #local(sender: Endpoint, header: Header): void {
    const call = this.#callOf(sender, header);
    const member = call.member;
    const interfaceName = this.#strings.textOf(header.interface);
    const is = (name: string, of: string): boolean =>
      member === name && (interfaceName === "" || interfaceName === of);
    if (is("Ping", "org.freedesktop.DBus.Peer")) this.#answer(call, "", []);
    else if (is("GetMachineId", "org.freedesktop.DBus.Peer")) this.#answer(call, "s", machineId());
    else if (is("Introspect", "org.freedesktop.DBus.Introspectable")) {
      this.#answer(call, "s", [EMPTY_INTROSPECTION]);
    } else {
      const signature = this.#strings.textOf(header.signature);
      const where = interfaceName === "" ? "(null)" : interfaceName;
      const text = `Method "${member}" with signature "${signature}" on interface "${where}" doesn't exist\n`;
      this.#answer(call, "", driverError("UnknownMethod", text));
    }
  }

  #reason(
    sender: Endpoint,
    header: Header,
    why: Undelivered,
    receiver: Endpoint | null,
  ): DriverError {
    const name = this.#strings.textOf(header.destination);
    switch (why) {
      case Undelivered.NoOwner:
        return (header.flags & NO_AUTO_START) === 0
          ? driverError("ServiceUnknown", notProvided(name))
          : driverError("NameHasNoOwner", `Name "${name}" does not exist`);
      case Undelivered.ReceiverFull:
        return driverError("LimitsExceeded", this.#queueIsFull(sender, header, receiver));
      case Undelivered.NoDescriptors:
        return driverError(
          "NotSupported",
          "Tried to send message with Unix file descriptors to a client that doesn't support that.",
        );
      case Undelivered.TooManyReplies:
        return driverError(
          "LimitsExceeded",
          `The maximum number of pending replies per connection has been reached (max_replies_per_connection=${this.#context.limits.maxRepliesPerConnection}) by "${sender.uniqueName}"`,
        );
      case Undelivered.SerialInUse:
        return driverError(
          "AccessDenied",
          "Message has the same reply serial as a currently-outstanding existing method call",
        );
      case Undelivered.UnknownType:
        return driverError(
          "AccessDenied",
          "Message bus will not accept messages of unknown type\n",
        );
      case Undelivered.Denied:
        return driverError("AccessDenied", this.#context.policing.objection);
      case Undelivered.TooMuchPending:
        return driverError("LimitsExceeded", tooMuchWaits(this.#context, sender));
      case Undelivered.ShareSpent:
        return driverError(
          "LimitsExceeded",
          `${this.#ownerOf(sender)} has its fair share of what may wait for "${name}" (${receiver?.description ?? "gone"}), which does not read what it is sent (max_outgoing_bytes=${this.#context.limits.maxOutgoingBytes})`,
        );
      case Undelivered.TooManyRepliesOfUser:
        return driverError(
          "LimitsExceeded",
          `${this.#ownerOf(sender)} has its fair share of replies to wait for (of all users: ${this.#context.limits.maxReplies})`,
        );
    }
  }

  /** dbus-daemon's words, and which limit that is. */
  #queueIsFull(sender: Endpoint, header: Header, receiver: Endpoint | null): string {
    const { limits, policing } = this.#context;
    const refused = { sender, receiver, header, isRequested: false };
    const what = "Rejected: destination has a full message queue";
    const text = complaintText(what, 0, refused, this.#strings, policing.processes);
    return `${text}: ${receiver?.description ?? "it"} does not read what it is sent (max_outgoing_bytes=${limits.maxOutgoingBytes})`;
  }

  #ownerOf({ connection }: Endpoint): string {
    return `User ${connection.credentials.userId ?? "unknown"}`;
  }

  /** Why `method` cannot even be tried, or null. */
  #objection(call: Call, method: DriverMethod, header: Header): DriverError | null {
    const { member } = method;
    const refusal = method.isPrivileged ? refusalOf(call, this.#context) : null;
    if (refusal !== null) return refusal;
    if (!method.anyPath && call.path !== DRIVER_PATH) {
      const text = `Method '${member}' is only available at the canonical object path '${DRIVER_PATH}'`;
      return driverError("AccessDenied", text);
    }
    const signature = this.#strings.textOf(header.signature);
    if (signature !== method.input) {
      const text = `Call to ${member} has wrong args (${signature}, expected ${method.input})\n`;
      return driverError("InvalidArgs", text);
    }
    if (header.bodyLength > ARGUMENT_BYTES) {
      const text = `Call to ${member} has ${header.bodyLength} bytes of arguments, more than ${ARGUMENT_BYTES}`;
      return driverError("LimitsExceeded", text);
    }
    return null;
  }

  #find(header: Header, path: string): DriverMethod | DriverError {
    const member = this.#strings.textOf(header.member);
    const interfaceName = this.#strings.textOf(header.interface);
    for (const method of METHODS_BY_MEMBER.get(member) ?? []) {
      if (interfaceName !== "" && interfaceName !== method.interface) continue;
      if (path === DRIVER_PATH || INTERFACES_ANYWHERE.has(method.interface)) return method;
    }
    const isKnown = interfaceName === "" || INTERFACES_ANYWHERE.has(interfaceName);
    const isHere = path === DRIVER_PATH && INTERFACES_HERE.has(interfaceName);
    const error = isKnown || isHere ? "UnknownMethod" : "UnknownInterface";
    return driverError(error, `org.freedesktop.DBus does not understand message ${member}`);
  }

  #isOwnInterface(header: Header): boolean {
    const name = this.#strings.textOf(header.interface);
    return name === "" || name === "org.freedesktop.DBus";
  }

  #callOf(sender: Endpoint, header: Header): Call {
    return {
      sender,
      serial: header.serial,
      wantsReply: (header.flags & NO_REPLY_EXPECTED) === 0,
      path: this.#strings.textOf(Math.max(header.path, 0)),
      member: this.#strings.textOf(header.member),
      values: [],
    };
  }

  /**
   * Sends the answer, if one is wanted; false if it is an error.
   * https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-messages: NO_REPLY_EXPECTED
   */
  #answer(call: Call, output: string, answer: Answer): boolean {
    const hasFailed = answer !== null && "error" in answer;
    if (answer === null || !call.wantsReply) return !hasFailed;
    const { outgoing } = this.#context;
    if ("errorName" in answer) {
      outgoing.error(call.sender, call.serial, answer.errorName, answer.text);
    } else if ("error" in answer) {
      outgoing.error(call.sender, call.serial, ERROR_PREFIX + answer.error, answer.text);
    } else {
      outgoing.methodReturn(call.sender, call.serial, output, answer);
    }
    return !hasFailed;
  }
}

function byMember(methods: readonly DriverMethod[]): Map<string, DriverMethod[]> {
  const found = new Map<string, DriverMethod[]>();
  for (const method of methods) {
    const others = found.get(method.member);
    if (others === undefined) found.set(method.member, [method]);
    else others.push(method);
  }
  return found;
}

/** The arguments as values; the router has validated them. */
function valuesOf(header: Header, signature: string): readonly unknown[] {
  if (signature === "") return [];
  const { memory, bodyOffset, bodyLength, isLittleEndian } = header;
  return unmarshalLeading(signature, memory, bodyOffset, bodyLength, isLittleEndian);
}
