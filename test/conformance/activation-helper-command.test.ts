/** The command line of `<servicehelper>`. */

import { expect } from "@jest/globals";
import { expectError } from "./support/conformance.ts";
import { methodCall } from "./support/messages.ts";
import { activation, useServices } from "./support/services.ts";

const services = useServices({ type: "session", helper: "/usr/bin/env ONEHOP=1 stand-in" });

const HELPER = "dbus-daemon: servicehelper";

activation(
  "servicehelper is a command line, behind which the name comes, whatever the type of the bus",
  { spec: HELPER },
  async (scene) => {
    const client = await scene.client();
    const report = services.report();
    const name = services.helped(`echo "$ONEHOP $DBUS_STARTER_BUS_TYPE $@" > ${report.path}`);
    client.send(methodCall(name));
    expect(await report.read()).toBe(`1 session ${name}\n`);
  },
);

activation(
  "The status of the program that runs the helper is taken for the helper's",
  { spec: HELPER },
  async (scene) => {
    const client = await scene.client();
    const name = services.helped("exit 5");
    expectError(await client.replyTo(client.send(methodCall(name))), "Spawn.ServiceNotValid");
  },
);
