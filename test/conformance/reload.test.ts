/** What a bus does when it is told that its configuration has changed, or sees it. */

import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "@jest/globals";
import type { Arrival, Client } from "./support/client.ts";
import { conformance, expectError, notRun, type Scene, useBus } from "./support/conformance.ts";
import { chosenBus } from "./support/daemons.ts";
import { methodCall } from "./support/messages.ts";

const CHANGED = "ActivatableServicesChanged";
const RELOAD = "dbus-daemon: ReloadConfig";
const FILES = "dbus-daemon: files that change";

const folder = mkdtempSync(join(tmpdir(), "conformance-reload-"));
// The daemon need not be the user who runs the tests.
chmodSync(folder, 0o755);
for (const name of ["conf.d", "services"]) mkdirSync(join(folder, name));
const allowEverything = `<policy context="default">
  <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
</policy>`;

/** Writes the main file: besides what every bus here needs it has `elements`. */
function configure(elements = ""): void {
  write(
    "bus.conf",
    `<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen>${allowEverything}
    ${elements}<includedir>conf.d</includedir></busconfig>`,
  );
}

function write(file: string, content: string): void {
  writeFileSync(join(folder, file), content);
}

configure();
useBus({ configuration: `/${join(folder, "bus.conf").slice(1)}` });
afterAll(() => rmSync(folder, { recursive: true }));

/** A case that begins with the plain configuration in force. */
function reloading(
  sentence: string,
  spec: string,
  body: (scene: Scene, client: Client) => Promise<void>,
): void {
  const withheld = { "dbus-broker": "its launcher here reads no configuration" };
  conformance(sentence, { spec, withheld }, async (scene) => {
    if (chosenBus.startsWith("address=")) return notRun("no bus of the suite's own");
    rmSync(join(folder, "conf.d/x.conf"), { force: true });
    configure();
    const client = await scene.client();
    await client.ask("ReloadConfig");
    await body(scene, client);
  });
}

const limit = (name: string, value: number): string => `<limit name="${name}">${value}</limit>`;

function addMatch(client: Client, rule: string): Promise<Arrival> {
  return client.call("AddMatch", { signature: "s", arguments: [rule] });
}

async function addRules(client: Client, count: number): Promise<(string | null)[]> {
  const errors: (string | null)[] = [];
  for (let n = 0; n < count; n++) errors.push((await addMatch(client, `arg0='${n}'`)).errorName);
  return errors.map((name) => name?.replace("org.freedesktop.DBus.Error.", "") ?? null);
}

reloading("Limits count for connections that exist", RELOAD, async (_, client) => {
  expect(await addRules(client, 1)).toEqual([null]);
  configure(limit("max_match_rules_per_connection", 2));
  await client.ask("ReloadConfig");
  expect(await addRules(client, 2)).toEqual([null, "LimitsExceeded"]);
  configure();
  await client.ask("ReloadConfig");
  expect(await addRules(client, 1)).toEqual([null]);
});

reloading("A limit that nobody sets any more has its default again", RELOAD, async (_, client) => {
  expect((await addRules(client, 513)).slice(511)).toEqual([null, "LimitsExceeded"]);
  configure(limit("max_match_rules_per_connection", 600));
  await client.ask("ReloadConfig");
  expect(await addRules(client, 1)).toEqual([null]);
});

reloading("The size of messages is for connections to come", RELOAD, async (scene, client) => {
  configure(limit("max_message_size", 4096));
  await client.ask("ReloadConfig");
  const large = methodCall("org.example.Nobody", {
    signature: "s",
    arguments: ["x".repeat(5000)],
  });
  expectError(await client.replyTo(client.send(large)), "ServiceUnknown");
  const late = await scene.client();
  late.send(large);
  await late.disconnected();
});

reloading(
  "Nobody is let in whom the new policy denies; who is in stays",
  RELOAD,
  async (scene, client) => {
    configure('<policy context="mandatory"><deny user="*"/></policy>');
    await client.ask("ReloadConfig");
    const refused = await scene.client({ until: "nothing" });
    refused.sendText("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n");
    await refused.disconnected();
    await client.ask("GetId");
    configure();
    await client.ask("ReloadConfig");
    await scene.client();
  },
);

reloading("New service directories are looked through", RELOAD, async (_, client) => {
  const name = "org.example.Reloaded";
  write("services/r.service", `[D-BUS Service]\nName=${name}\nExec=/bin/true\n`);
  expect(String((await client.ask("ListActivatableNames")).arguments)).not.toContain(name);
  configure("<servicedir>services</servicedir>");
  await client.ask("ReloadConfig");
  expect(String((await client.ask("ListActivatableNames")).arguments)).toContain(name);
});

reloading("Addresses, mechanisms and the user stay as they were", RELOAD, async (scene, client) => {
  const path = join(folder, "another");
  configure(`<listen>unix:path=${path}</listen><auth>DBUS_COOKIE_SHA1</auth><user>nobody</user>`);
  await client.ask("ReloadConfig");
  expect(existsSync(path)).toBe(false);
  await scene.client();
});

reloading("Who is let in without a name is what it was, too", RELOAD, async (scene, client) => {
  configure('<allow_anonymous/><policy context="default"><allow user="*"/></policy>');
  await client.ask("ReloadConfig");
  const nameless = await scene.client({ until: "nothing" });
  nameless.sendText("\0AUTH ANONYMOUS\r\n");
  await nameless.expectLine(/^OK /);
  nameless.sendText("BEGIN\r\n");
  await nameless.disconnected();
});

for (const [what, elements] of [
  ["that is not well-formed", "<fork>"],
  ["with an unknown element", "<bees/>"],
  ["with a bad value", limit("auth_timeout", -1)],
  ["that includes a file which is missing", "<include>missing.conf</include>"],
] as const) {
  reloading(
    `A configuration ${what} changes nothing, and the caller is told`,
    RELOAD,
    async (_, client) => {
      configure(limit("max_match_rules_per_connection", 1) + elements);
      const reply = await client.call("ReloadConfig");
      expect(reply.errorName).toMatch(/^org\.freedesktop\.DBus\.Error\.(Failed|FileNotFound)$/);
      expect(String(reply.arguments[0])).not.toBe("");
      expect(await addRules(client, 2)).toEqual([null, null]);
    },
  );
}

reloading("Without an address to listen on it is refused", RELOAD, async (_, client) => {
  write("bus.conf", `<busconfig>${allowEverything}</busconfig>`);
  expectError(await client.call("ReloadConfig"), "Failed");
});

reloading(
  "A bad file of a directory is left out, and the rest counts",
  RELOAD,
  async (_, client) => {
    write(
      "conf.d/x.conf",
      `<busconfig>${limit("max_match_rules_per_connection", 1)}<bees/></busconfig>`,
    );
    configure(limit("max_match_rules_per_connection", 3));
    await client.ask("ReloadConfig");
    expect(await addRules(client, 4)).toEqual([null, null, null, "LimitsExceeded"]);
  },
);

reloading("SIGHUP is as good as asking", "dbus-daemon: SIGHUP", async (scene, client) => {
  await client.addMatch(`member='${CHANGED}'`);
  configure(limit("max_match_rules_per_connection", 2));
  process.kill(scene.processId ?? process.pid, "SIGHUP");
  await changed(client);
  expect(await addRules(client, 2)).toEqual([null, "LimitsExceeded"]);
});

reloading(
  "A file that comes into an included directory, changes there and goes, counts at once",
  FILES,
  async (_, client) => {
    await client.addMatch(`member='${CHANGED}'`);
    await client.drain();
    for (const count of [3, 5]) {
      write(
        "conf.d/x.conf",
        `<busconfig>${limit("max_match_rules_per_connection", count)}</busconfig>`,
      );
      await changed(client);
      expect(await addRules(client, 2)).toEqual([null, null]);
      expect(await addRules(client, 1)).toEqual(["LimitsExceeded"]);
    }
    rmSync(join(folder, "conf.d/x.conf"));
    await changed(client);
    expect(await addRules(client, 1)).toEqual([null]);
  },
);

reloading(
  "What else has changed counts when a file of an included directory changes",
  FILES,
  async (_, client) => {
    await client.addMatch(`member='${CHANGED}'`);
    await client.drain();
    configure(limit("max_match_rules_per_connection", 1));
    write("conf.d/x.conf", "<busconfig/>");
    await changed(client);
    expect(await addRules(client, 1)).toEqual(["LimitsExceeded"]);
  },
);

async function changed(client: Client): Promise<void> {
  await client.first(({ member }) => member === CHANGED, CHANGED);
  await client.drain();
}
