/** A system bus without `<servicehelper>`: how test suites run the system's services as themselves. */

import { expect } from "@jest/globals";
import { methodCall } from "./support/messages.ts";
import { activation, useServices } from "./support/services.ts";

const services = useServices({ type: "system" });

const HELPER = "dbus-daemon: servicehelper";

activation(
  "Without a helper a service runs as the user of the bus, whomever its file names",
  { spec: HELPER },
  async (scene) => {
    const client = await scene.client();
    const report = services.report();
    const script = services.script(`echo "$(id -u) $DBUS_STARTER_BUS_TYPE" > ${report.path}`);
    client.send(methodCall(services.service(script, "User=nobody")));
    expect(await report.read()).toBe(`${process.getuid?.()} system\n`);
  },
);

activation(
  "Without a helper a service needs no user, and its environment can be changed",
  { spec: HELPER },
  async (scene) => {
    const client = await scene.client();
    await client.call("UpdateActivationEnvironment", {
      signature: "a{ss}",
      arguments: [[["ONEHOP_TEST_SET", "here"]]],
    });
    const report = services.report();
    const script = services.script(`echo "$ONEHOP_TEST_SET" > ${report.path}`);
    client.send(methodCall(services.service(script)));
    expect(await report.read()).toBe("here\n");
  },
);
