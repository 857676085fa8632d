/** Hello, and who owns which name. */

import type { Endpoint } from "../../routing/endpoint.ts";
import { GatewayAnswer } from "../../routing/gateway.ts";
import { isBusName, isUniqueName } from "../../wire/names.ts";
import { DRIVER_NAME } from "../../wire/protocol.ts";
import { Resource } from "../user.ts";
import {
  type Answer,
  type Call,
  type DriverContext,
  type DriverMethod,
  driverError,
  number,
  text,
} from "./call.ts";

const DRIVER_INTERFACE = DRIVER_NAME;
/** DBUS_START_REPLY_ALREADY_RUNNING */
const ALREADY_RUNNING = 2;

export const nameMethods: readonly DriverMethod[] = [
  method("Hello", "", "s", hello),
  method("RequestName", "su", "u", requestName),
  method("ReleaseName", "s", "u", releaseName),
  method("StartServiceByName", "su", "u", startServiceByName),
  method("NameHasOwner", "s", "b", (call, context) => [
    text(call, 0) === DRIVER_NAME || context.directory.findText(text(call, 0)) !== null,
  ]),
  method("ListNames", "", "as", listNames),
  method("ListActivatableNames", "", "as", (_call, context) => [
    [DRIVER_NAME, ...context.activation.names()],
  ]),
  method("GetNameOwner", "s", "s", getNameOwner),
  method("ListQueuedOwners", "s", "as", listQueuedOwners),
];

function method(
  member: string,
  input: string,
  output: string,
  run: DriverMethod["run"],
): DriverMethod {
  return { interface: DRIVER_INTERFACE, member, input, reads: input, output, anyPath: true, run };
}

/** https://dbus.freedesktop.org/doc/dbus-specification.html#bus-messages-hello */
function hello(call: Call, context: DriverContext): Answer {
  const { sender, serial, wantsReply } = call;
  if (sender.isRegistered) return driverError("Failed", "Already handled an Hello message");
  const refusal = context.refusalOfHello(sender);
  if (refusal !== null) {
    context.showUnregistered(sender);
    return driverError("LimitsExceeded", refusal);
  }
  const show = context.showWhenRegistered(sender);
  waitFor(sender, context, (done) =>
    context.authority.hello(sender, (uniqueName) => {
      if (sender.connection.isClosed) return;
      context.register(sender, uniqueName);
      show();
      if (wantsReply) context.outgoing.methodReturn(sender, serial, "s", [uniqueName]);
      context.ownerChanged(uniqueName, null, sender);
      done();
    }),
  );
  return null;
}

/** https://dbus.freedesktop.org/doc/dbus-specification.html#bus-messages-request-name */
function requestName(call: Call, context: DriverContext): Answer {
  const { sender, serial, wantsReply } = call;
  const name = text(call, 0);
  if (!isBusName(name)) {
    return driverError("InvalidArgs", `Requested bus name "${name}" is not valid`);
  }
  if (isUniqueName(name)) {
    return driverError(
      "InvalidArgs",
      `Cannot acquire a service starting with ':' such as "${name}"`,
    );
  }
  if (name === DRIVER_NAME) {
    // The missing space is dbus-daemon's.
    return driverError(
      "InvalidArgs",
      `Connection "${sender.uniqueName}" is not allowed to own the service "${name}"because it is reserved for D-Bus' use only`,
    );
  }
  if (!context.policing.mayOwn(sender, name)) {
    return driverError("AccessDenied", context.policing.objection);
  }
  const limit = context.limits.maxNamesPerConnection;
  // As in dbus-daemon the unique name counts, and so it is even for a name that the sender has.
  if (context.names.countOf(sender) + 1 >= limit) {
    return driverError(
      "LimitsExceeded",
      `Connection "${sender.uniqueName}" is not allowed to own more services (increase limits in configuration file if required; max_names_per_connection=${limit})`,
    );
  }
  const refusal = context.accounting.supplies.refusalFor(sender, Resource.Names, 1);
  if (refusal !== null) return driverError("LimitsExceeded", refusal);
  waitFor(sender, context, (done) =>
    context.authority.request(sender, name, number(call, 1), (decision) => {
      const { change } = decision;
      context.statistics.noteNamesOf(sender);
      context.accounting.settle(sender, Resource.Names, context.names.countOf(sender));
      if (change !== null) context.ownerChanged(name, change.oldOwner, change.newOwner);
      if (wantsReply && !sender.connection.isClosed) {
        context.outgoing.methodReturn(sender, serial, "u", [decision.reply]);
      }
      done();
    }),
  );
  return null;
}

/** https://dbus.freedesktop.org/doc/dbus-specification.html#bus-messages-release-name */
function releaseName(call: Call, context: DriverContext): Answer {
  const { sender, serial, wantsReply } = call;
  const name = text(call, 0);
  if (!isBusName(name)) {
    return driverError("InvalidArgs", `Given bus name "${name}" is not valid`);
  }
  if (isUniqueName(name)) {
    return driverError(
      "InvalidArgs",
      `Cannot release a service starting with ':' such as "${name}"`,
    );
  }
  if (name === DRIVER_NAME) {
    return driverError(
      "InvalidArgs",
      `Cannot release the ${DRIVER_NAME} service because it is owned by the bus`,
    );
  }
  waitFor(sender, context, (done) =>
    context.authority.release(sender, name, (decision) => {
      const { change } = decision;
      context.accounting.settle(sender, Resource.Names, context.names.countOf(sender));
      if (change !== null) context.ownerChanged(name, change.oldOwner, change.newOwner);
      if (wantsReply && !sender.connection.isClosed) {
        context.outgoing.methodReturn(sender, serial, "u", [decision.reply]);
      }
      done();
    }),
  );
  return null;
}

/** Asks somebody who may answer later; until then the asker's input waits, and nobody else's. */
function waitFor(asker: Endpoint, context: DriverContext, ask: (done: () => void) => void): void {
  let isDone = false;
  let isWaiting = false;
  ask(() => {
    isDone = true;
    if (!isWaiting) return;
    asker.connection.resume();
    context.answeredLater();
  });
  if (isDone) return;
  isWaiting = true;
  asker.connection.pause();
}

/** https://dbus.freedesktop.org/doc/dbus-specification.html#bus-messages-start-service-by-name */
function startServiceByName(call: Call, context: DriverContext): Answer {
  const { sender } = call;
  const name = text(call, 0);
  const isOwned = context.directory.findText(name) !== null;
  const answer = context.activation.start(name, sender, isOwned);
  if (answer === "running") return [ALREADY_RUNNING];
  if (answer === GatewayAnswer.Absent) return driverError("ServiceUnknown", notProvided(name));
  if (answer !== GatewayAnswer.Pending) return answer;
  // It waits in line with the messages for the name, so that all of them fail in their order.
  if (!context.hold(name, sender)) {
    return driverError("LimitsExceeded", tooMuchWaits(context, sender));
  }
  context.activation.tellWhenStarted(name, call);
  return null;
}

/** For a sender whose messages wait for names that are being found. */
export function tooMuchWaits(context: DriverContext, sender: Endpoint): string {
  return `The maximum number of bytes that may wait for names being found is reached (max_incoming_bytes=${context.limits.maxIncomingBytes}) by "${sender.uniqueName}"`;
}

/** dbus-daemon's words for a name that nobody owns and nothing would start. */
export function notProvided(name: string): string {
  return `The name ${name} was not provided by any .service files`;
}

function listNames(_call: Call, context: DriverContext): Answer {
  const names = [DRIVER_NAME, ...context.names.names()];
  for (const endpoint of context.directory.endpoints()) {
    if (endpoint.isRegistered) names.push(endpoint.uniqueName);
  }
  return [names];
}

function getNameOwner(call: Call, context: DriverContext): Answer {
  const name = text(call, 0);
  if (name === DRIVER_NAME) return [DRIVER_NAME];
  const owner = context.directory.findText(name);
  if (owner !== null) return [owner.uniqueName];
  return driverError("NameHasNoOwner", `Could not get owner of name '${name}': no such name`);
}

function listQueuedOwners(call: Call, context: DriverContext): Answer {
  const name = text(call, 0);
  if (name === DRIVER_NAME) return [[DRIVER_NAME]];
  const owners = context.names.queueOf(name);
  if (owners.length > 0) return [owners.map((owner) => owner.uniqueName)];
  const owner = context.directory.findText(name);
  if (owner !== null) return [[owner.uniqueName]];
  return driverError("NameHasNoOwner", `Could not get owners of name '${name}': no such name`);
}
