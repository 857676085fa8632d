/** A `<servicehelper>` that is not there. */

import { expectError } from "./support/conformance.ts";
import { methodCall } from "./support/messages.ts";
import { activation, useServices } from "./support/services.ts";

const services = useServices({ type: "system", helper: "/nowhere/at/all" });

activation(
  "A helper that is not there fails every start",
  { spec: "dbus-daemon: servicehelper" },
  async (scene) => {
    const client = await scene.client();
    const name = services.helped("exit 0");
    const text = `Failed to execute program ${name}: No such file or directory`;
    const reply = await client.replyTo(client.send(methodCall(name)));
    expectError(reply, "Spawn.ExecFailed", text);
  },
);
